//! Starts a real daemon on an admin address of its own, scrapes it, and ends it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

#[path = "address.rs"]
mod address;

use address::free_address;

/// A daemon is up within milliseconds; this is for a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the daemon with these arguments answers on `/metrics`.
pub fn metrics(arguments: &[&str]) -> String {
    let admin = free_address().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_capitana"));
    let (daemon, rest) = arguments.split_first().unwrap();
    command.env_clear().args([daemon, "--admin-listen", admin.as_str()]).args(rest);
    let mut running = Running(command.stderr(Stdio::piped()).spawn().unwrap());
    wait_started(&mut running.0);
    let mut stream = TcpStream::connect(&admin).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: capitana\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer
}

/// The log says when the daemon serves. It is read to its end, so that the daemon never waits for a reader.
fn wait_started(daemon: &mut Child) {
    let log = BufReader::new(daemon.stderr.take().unwrap());
    let (started, said) = mpsc::channel();
    thread::spawn(move || {
        let lines = log.lines().map_while(Result::ok);
        lines.filter(|line| line.contains(" started")).for_each(|line| drop(started.send(line)));
    });
    said.recv_timeout(PATIENCE).unwrap();
}
