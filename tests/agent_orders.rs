//! Orders to a running agent and what it tells load balancers, where there is neither ZooKeeper nor a server. With
//! real ones they are tested by the lab.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

#[path = "support/command.rs"]
mod command;
#[path = "support/proxy/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use capitana::exit;
use command::{Said, capitana, run};
use serde_json::Value;
use support::{ask, connect, free_address, get, metric, until};
use tempfile::TempDir;

/// Neither ZooKeeper nor a server is there.
const SETTINGS: [&str; 7] =
    ["agent", "--zookeeper", "127.0.0.1:1", "--server", "127.0.0.1:1", "--advertise", "127.0.0.1:1"];

/// A running agent.
struct Agent {
    admin: SocketAddr,
    child: Child,
    /// Its own: two agents never share one.
    _state: TempDir,
}

impl Agent {
    fn start() -> Self {
        let admin = free_address();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_capitana")]).args(SETTINGS);
        let state = tempfile::tempdir().unwrap();
        command.args(["--admin-listen", &admin.to_string()]).arg("--state-directory").arg(state.path());
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("the agent answers", || std::net::TcpStream::connect(admin).ok());
        Self { admin, child, _state: state }
    }

    fn order(&self, flags: &[&str]) -> Said {
        let admin = self.admin.to_string();
        run(&mut capitana(&[&SETTINGS[..], &["--admin-listen", &admin], flags].concat()))
    }

    fn status(&self) -> Value {
        serde_json::from_str(&get(self.admin, "/status").body).unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn request(method: &str, path: &str, header: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: capitana\r\nConnection: close\r\n{header}\r\n")
}

#[test]
fn an_agent_that_cannot_reach_zookeeper_steps_down_and_says_that_its_znode_may_still_be_there() {
    let agent = Agent::start();
    let said = agent.order(&["--step-down"]);
    said.failed(
        exit::TRY_AGAIN,
        "stepped down, but not out of the election yet: ZooKeeper cannot be reached",
    );
    let status = agent.status();
    let by = status["stepped_down"]["by"].as_str().unwrap();
    assert!(by.starts_with("capitana agent (uid ") && by.ends_with("from 127.0.0.1"), "{by}");
    assert!(get(agent.admin, "/readyz").body.contains("stepped down at "));
    assert_eq!(metric(agent.admin, "capitana_agent_stepped_down"), 1.0);
    let counted = "capitana_agent_step_downs_total{cause=\"stepped-down\"}";
    assert_eq!(metric(agent.admin, counted), 1.0);
    // Once more changes nothing, least of all since when it is out.
    agent.order(&["--step-down"]);
    assert_eq!(agent.status()["stepped_down"], status["stepped_down"]);
    assert_eq!(metric(agent.admin, counted), 1.0);
}

#[test]
fn an_agent_that_may_rejoin_says_what_still_keeps_it_out() {
    let agent = Agent::start();
    let stepped_down = ask(agent.admin, &request("POST", "/step-down", "User-Agent: a test\r\n"));
    assert_eq!(stepped_down.status, 202, "{}", stepped_down.body);
    let answer: Value = serde_json::from_str(&stepped_down.body).unwrap();
    assert_eq!(answer["withdrawn"], false);
    assert_eq!(answer["stepped_down"]["by"], "a test from 127.0.0.1");
    let said = agent.order(&["--rejoin"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.starts_with("may rejoin, and has not yet: "), "{}", said.out);
    assert_eq!(agent.status()["stepped_down"], Value::Null);
    assert_eq!(metric(agent.admin, "capitana_agent_stepped_down"), 0.0);
}

#[test]
fn orders_are_posted_and_not_forwarded() {
    let agent = Agent::start();
    for path in ["/step-down", "/rejoin"] {
        let refused = get(agent.admin, path);
        assert_eq!(refused.status, 405);
        assert!(refused.head.contains("allow: post"), "{}", refused.head);
        let refused = ask(agent.admin, &request("POST", path, "X-Forwarded-For: 192.0.2.1\r\n"));
        assert_eq!(refused.status, 403);
        assert!(refused.body.contains("this host only"), "{}", refused.body);
    }
    assert_eq!(agent.status()["stepped_down"], Value::Null);
}

#[test]
fn an_unfit_server_is_neither_primary_nor_replica_whatever_the_method_and_the_help_is_elsewhere() {
    let agent = Agent::start();
    for path in ["/", "/primary", "/replica"] {
        for method in ["GET", "HEAD", "OPTIONS"] {
            let answer = ask(agent.admin, &request(method, path, ""));
            assert_eq!(answer.status, 503, "{method} {path}");
            assert!(method == "HEAD" || answer.body.contains("is unfit: "), "{}", answer.body);
        }
        assert_eq!(ask(agent.admin, &request("POST", path, "")).status, 405);
    }
    let help = get(agent.admin, "/help");
    assert_eq!(help.status, 200);
    assert!(help.body.contains("/primary") && help.body.contains("/step-down"), "{}", help.body);
}

#[test]
fn a_request_of_haproxys_old_kind_is_answered_too() {
    let agent = Agent::start();
    let answer = ask(agent.admin, "OPTIONS / HTTP/1.0\r\n\r\n");
    assert_eq!(answer.status, 503);
    drop(connect(agent.admin));
    assert_eq!(get(agent.admin, "/healthz").status, 200);
}

#[test]
fn an_order_to_an_agent_that_does_not_run_says_where_it_was_looked_for() {
    let nobody = free_address().to_string();
    let flags = ["--admin-listen", nobody.as_str(), "--step-down"];
    let said = run(&mut capitana(&[&SETTINGS[..], &flags].concat()));
    said.failed(exit::UNAVAILABLE, &format!("the agent at {nobody}: "));
}

#[test]
fn a_wait_for_a_server_that_cannot_be_asked_steps_nothing_down() {
    let agent = Agent::start();
    let said = agent.order(&["--step-down", "--wait", "1s"]);
    said.failed(exit::UNAVAILABLE, "the server 127.0.0.1:1: ");
    assert_eq!(agent.status()["stepped_down"], Value::Null);
}

#[test]
fn orders_exclude_each_other_and_a_wait_needs_a_step_down() {
    for flags in [&["--step-down", "--rejoin"][..], &["--rejoin", "--wait", "1s"], &["--wait", "1s"]] {
        let said = run(&mut capitana(&[&["agent"], flags].concat()));
        assert_eq!(said.code, i32::from(exit::USAGE), "{flags:?}: {}", said.err);
    }
}
