//! Nobody reads the log: it is on a disk that hangs, or its reader stands still. Everything else goes on.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use std::io::{PipeReader, Write, pipe};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use support::{Client, NOBODY, Stub, free_address, get, until};
use tempfile::TempDir;

/// What a pipe takes by default on Linux.
const PIPE: usize = 64 << 10;

/// A daemon whose first log line waits for ever.
struct Unread {
    child: Child,
    admin: SocketAddr,
    _log: PipeReader,
}

impl Unread {
    fn start(arguments: &[&str]) -> Self {
        let (log, mut full) = pipe().unwrap();
        full.write_all(&vec![b'.'; PIPE]).unwrap();
        let admin = free_address();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_capitana")])
            .args(arguments)
            .args(["--admin-listen", &admin.to_string(), "--log-level", "debug"])
            .stdin(Stdio::null())
            .stderr(full)
            .spawn()
            .unwrap();
        let daemon = Self { child, admin, _log: log };
        until("it answers", || TcpStream::connect(admin).ok());
        daemon
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_proxy_whose_log_is_not_read_serves_clients() {
    let (server, listen) = (Stub::echo(), free_address());
    let (to, at) = (server.address.to_string(), listen.to_string());
    let daemon = Unread::start(&["proxy", "--primary", &to, "--listen", &at]);
    for _ in 0..100 {
        Client::open(listen).echo(b"select");
    }
    assert_eq!(get(daemon.admin, "/readyz").status, 200);
}

#[test]
fn an_agent_whose_log_is_not_read_checks_its_server() {
    let state = TempDir::new().unwrap();
    let state = state.path().to_str().unwrap();
    let daemon = Unread::start(&[
        "agent",
        "--zookeeper",
        NOBODY,
        "--server",
        NOBODY,
        "--advertise",
        NOBODY,
        "--state-directory",
        state,
        "--poll-interval",
        "20ms",
    ]);
    let failed = || {
        let checks = "capitana_agent_checks_total{result=\"failed\"}";
        support::metric(daemon.admin, checks)
    };
    until("it goes on to check", || (failed() > 50.0).then_some(()));
}
