//! What a running agent takes over from its settings file when it is sent SIGHUP.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

#[path = "support/address.rs"]
mod address;

use std::fs;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use address::free_address;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// An agent of a server that is not there, with a settings file that can be changed.
struct Agent {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    admin: SocketAddr,
    directory: TempDir,
}

const FILE: &str = "zookeeper = \"127.0.0.1:1\"\nserver = \"127.0.0.1:1\"\nlog-format = \"json\"\n";

/// For what takes milliseconds on a machine that has time.
const PATIENCE: Duration = Duration::from_secs(30);

impl Agent {
    fn new(lines: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("agent.toml");
        fs::write(&file, format!("{FILE}{lines}")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_capitana"));
        command.env_clear().arg("agent").arg("--config").arg(&file);
        let admin = free_address();
        command.arg("--admin-listen").arg(admin.to_string());
        command.arg("--state-directory").arg(directory.path().join("state"));
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut agent = Self { child, log, admin, directory };
        agent.says("agent started");
        agent
    }

    /// The next line of the log with this message. The test's own time is the deadline.
    fn says(&mut self, message: &str) -> Value {
        let lines = self.log.by_ref().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        let mut lines = lines.filter(|line| line["message"].as_str() == Some(message));
        lines.next().unwrap_or_else(|| panic!("the agent ended without saying \"{message}\""))
    }

    /// How many checks have failed.
    fn failed_checks(&self) -> u32 {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: agent\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let name = "capitana_agent_checks_total{result=\"failed\"} ";
        answer.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap()
    }

    fn change(&self, lines: &str) {
        fs::write(self.directory.path().join("agent.toml"), format!("{FILE}{lines}")).unwrap();
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::HUP).unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn sighup_has_an_agent_check_at_another_pace() {
    let mut agent = Agent::new("poll-interval = \"1h\"\n");
    agent.change("poll-interval = \"20ms\"\nrise = 5\n");
    let line = agent.says("settings changed");
    assert_eq!(line["settings"], "poll-interval, rise");
    agent.says("settings reloaded");
    let began = Instant::now();
    while agent.failed_checks() < 10 {
        assert!(began.elapsed() < PATIENCE, "{} checks in {PATIENCE:?}", agent.failed_checks());
    }
}

#[test]
fn sighup_says_what_an_agent_takes_over_only_at_a_start() {
    let mut agent = Agent::new("");
    agent.change("fence = \"read-only\"\nnode-name = \"other\"\n");
    let line = agent.says("changed, but in effect only after a restart");
    assert_eq!(line["settings"], "fence, node-name");
}

#[test]
fn a_broken_file_leaves_an_agents_settings() {
    let mut agent = Agent::new("fall = 3\n");
    agent.change("fall = 0\n");
    let line = agent.says("settings not reloaded: the old ones stay in effect");
    assert!(line["error"].as_str().unwrap().contains("agent.toml:4: fall"), "{line}");
}
