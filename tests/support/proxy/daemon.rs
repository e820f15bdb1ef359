//! The real proxy as a process, with its log.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::address::free_address;
use super::http::get;
use super::wait::until;

/// How to start a proxy.
pub struct Start {
    listen: SocketAddr,
    replica_listen: Option<SocketAddr>,
    admin: SocketAddr,
    flags: Vec<String>,
    wrapper: Vec<String>,
}

impl Start {
    /// With these flags beside those for its addresses and its log.
    pub fn with(flags: &[&str]) -> Self {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let (listen, admin) = (free_address(), free_address());
        Self { listen, replica_listen: None, admin, flags, wrapper: Vec::new() }
    }

    /// With this fixed primary.
    pub fn to(primary: SocketAddr) -> Self {
        Self::with(&["--primary", &primary.to_string()])
    }

    /// With a listener for those who only read.
    pub fn replicas(mut self) -> Self {
        self.replica_listen = Some(free_address());
        self
    }

    /// With a flag more.
    pub fn flag(mut self, flag: &str, value: &str) -> Self {
        self.flags.extend([flag.to_owned(), value.to_owned()]);
        self
    }

    /// With no more than so many descriptors.
    pub fn descriptors(mut self, most: u32) -> Self {
        self.wrapper = vec!["prlimit".to_owned(), format!("--nofile={most}:{most}")];
        self
    }

    /// Starts it and waits until it serves.
    pub fn start(self) -> Proxy {
        let mut proxy = self.spawn();
        assert!(until("the proxy serves or has ended", || proxy.serves()), "{}", proxy.log().join("\n"));
        proxy
    }

    /// Starts it. It ends with the thread that called this, however that ends.
    pub fn spawn(self) -> Proxy {
        let replica_listen = self.replica_listen.map_or("off".to_owned(), |address| address.to_string());
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .args(&self.wrapper)
            .arg(env!("CARGO_BIN_EXE_capitana"))
            .args(["proxy", "--log-format", "json"])
            .args(["--listen", &self.listen.to_string(), "--admin-listen", &self.admin.to_string()])
            .args(["--replica-listen", &replica_listen])
            .args(&self.flags)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let (lines, kept) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::clone(&log));
        let keep = move || lines.map_while(Result::ok).for_each(|line| kept.lock().unwrap().push(line));
        let reader = Some(thread::spawn(keep));
        let Self { listen, replica_listen, admin, .. } = self;
        Proxy { listen, replica_listen, admin, child, log, reader }
    }
}

/// A proxy, until it is dropped.
pub struct Proxy {
    /// Where it accepts clients.
    pub listen: SocketAddr,
    /// Where it accepts those who only read, if it does.
    pub replica_listen: Option<SocketAddr>,
    /// Its admin endpoint.
    pub admin: SocketAddr,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// Until the log has been read to its end.
    reader: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended, and its log has been read; its exit code.
    pub fn exit_code(&mut self) -> i32 {
        let status: ExitStatus = until("the proxy has ended", || self.child.try_wait().unwrap());
        self.reader.take().into_iter().for_each(|reader| reader.join().unwrap());
        status.code().unwrap_or_else(|| panic!("ended by signal {:?}", status.signal()))
    }

    /// Whether it serves, once that is decided one way or the other.
    pub fn serves(&mut self) -> Option<bool> {
        let started = self.log().iter().any(|line| line.contains("proxy started"));
        if started { Some(true) } else { (!self.runs()).then_some(false) }
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Everything it has logged.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a line of its log with this message.
    pub fn log_line(&self, message: &str) -> Value {
        self.log_lines(message, 1).remove(0)
    }

    /// Waits until there are so many lines of its log with this message.
    pub fn log_lines(&self, message: &str, count: usize) -> Vec<Value> {
        until(&format!("the log has {count} lines \"{message}\""), || {
            let all = self.log();
            let parsed = all.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let found: Vec<_> = parsed.filter(|line| line["message"] == message).collect();
            (found.len() >= count).then_some(found)
        })
    }

    /// Waits until it says of itself what is wanted.
    pub fn status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(what, || {
            let status: Value = serde_json::from_str(&get(self.admin, "/status").body).unwrap();
            wanted(&status).then_some(status)
        })
    }

    /// Waits until it has so many sessions, waiting ones included.
    pub fn has_sessions(&self, count: u64) {
        self.status(&format!("there are {count} sessions"), |status| status["sessions"]["active"] == count);
    }

    /// Waits until so many clients wait for a primary.
    pub fn has_held(&self, count: u64) {
        self.status(&format!("{count} clients are held"), |status| status["sessions"]["held"] == count);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            println!("the proxy's log:\n{}", self.log().join("\n"));
        }
    }
}
