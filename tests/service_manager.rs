//! What systemd is told, by a socket that plays systemd; and that the units are what systemd takes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use support::{DEADLINE, NOBODY, free_address};
use tempfile::TempDir;

/// What systemd asks for: a sign of life at least so often.
const WATCHDOG: Duration = Duration::from_millis(600);

/// Plays systemd for one process.
struct Managed {
    socket: UnixDatagram,
    child: Child,
    _directory: TempDir,
    /// An agent's own: two never share one.
    _state: Option<TempDir>,
}

impl Managed {
    fn start(arguments: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_capitana")])
            .args(arguments)
            .args(["--admin-listen", &free_address().to_string()])
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { socket, child, _directory: directory, _state: None }
    }

    fn agent() -> Self {
        let settings = ["agent", "--zookeeper", NOBODY, "--server", NOBODY, "--advertise", NOBODY];
        let pace = ["--poll-interval", "50ms", "--check-timeout", "50ms"];
        let state = tempfile::tempdir().unwrap();
        let mut daemon = Self::start(
            &[&settings[..], &pace, &["--state-directory", state.path().to_str().unwrap()]].concat(),
        );
        daemon._state = Some(state);
        daemon
    }

    fn proxy() -> Self {
        let listen = free_address().to_string();
        Self::start(&["proxy", "--primary", NOBODY, "--listen", &listen])
    }

    /// The next message, if one comes in time.
    fn message(&self, limit: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(limit.max(Duration::from_millis(1)))).unwrap();
        let mut buffer = [0; 4096];
        match self.socket.recv(&mut buffer) {
            Ok(length) => Some(String::from_utf8(buffer[..length].to_vec()).unwrap()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits for a message with this line.
    fn told(&self, line: &str) -> String {
        let give_up_at = Instant::now() + DEADLINE;
        loop {
            let left = give_up_at.saturating_duration_since(Instant::now());
            let message = self.message(left).unwrap_or_else(|| panic!("{line} was not told"));
            if message.lines().any(|told| told == line) {
                return message;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// It is ready, lives, is silent while it stands still, and says that it ends.
    fn lives_and_ends(mut self) {
        assert!(self.told("READY=1").contains("STATUS="));
        let begun = Instant::now();
        for _ in 0..4 {
            self.told("WATCHDOG=1");
        }
        assert!(begun.elapsed() < 4 * WATCHDOG, "{:?}", begun.elapsed());
        self.signal(Signal::STOP);
        // What was sent before the signal arrived; then nothing for as long as systemd waits.
        let silent = || self.message(WATCHDOG).is_none();
        assert!((0..10).any(|_| silent()), "it is told that a process lives that stands still");
        self.signal(Signal::CONT);
        self.told("WATCHDOG=1");
        self.signal(Signal::HUP);
        assert!(self.told("RELOADING=1").contains("MONOTONIC_USEC="));
        self.told("READY=1");
        self.signal(Signal::TERM);
        self.told("STOPPING=1");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn systemd_is_told_that_the_agent_is_ready_and_lives_and_not_while_it_stands_still() {
    Managed::agent().lives_and_ends();
}

#[test]
fn systemd_is_told_that_the_proxy_is_ready_and_lives_and_not_while_it_stands_still() {
    Managed::proxy().lives_and_ends();
}

/// The unit with the program that was built in place of the one that is installed.
fn unit(name: &str, directory: &Path) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/systemd").join(name);
    let text = fs::read_to_string(source).unwrap();
    let built = format!("ExecStart={} ", env!("CARGO_BIN_EXE_capitana"));
    assert!(text.contains("ExecStart=/usr/bin/capitana "));
    let path = directory.join(name);
    fs::write(&path, text.replace("ExecStart=/usr/bin/capitana ", &built)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn systemd_takes_the_units_without_a_word() {
    let directory = TempDir::new().unwrap();
    for name in ["capitana-agent.service", "capitana-proxy.service", "capitana-worker@.service"] {
        let unit = unit(name, directory.path());
        let checked = Command::new("systemd-analyze").args(["verify", "--man=no", &unit]).output().unwrap();
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.success() && said.is_empty(), "{name}: {said}");
    }
}

#[test]
fn the_settings_that_the_units_name_exist() {
    let settings =
        ["CAPITANA_PASSWORD_FILE", "CAPITANA_MONITOR_PASSWORD_FILE", "CAPITANA_ZOOKEEPER_AUTH_FILE"];
    for (name, command) in [("capitana-agent.service", "agent"), ("capitana-proxy.service", "proxy")] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/systemd").join(name);
        let text = fs::read_to_string(source).unwrap();
        let named = text.split(|c: char| !c.is_ascii_uppercase() && c != '_');
        let named: Vec<_> = named.filter(|word| word.starts_with("CAPITANA_")).collect();
        assert!(!named.is_empty() && named.iter().all(|name| settings.contains(name)), "{named:?}");
        assert!(text.contains(&format!("capitana {command} --config /etc/capitana/{command}.toml")));
    }
}
