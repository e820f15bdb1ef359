//! What becomes of a fence when the server does not answer, is restarted, or its agent is started anew: ordinary servers, of
//! which the agent of one is cut off from ZooKeeper.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::fs;
use std::time::Duration;

use capitana_lab::status::AgentStatus;
use capitana_lab::{Builder, Lab, MONITOR, Progress, wait_until};
use mysql_async::prelude::Queryable;
use rustix::process::Signal;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
/// As README says it of plain servers.
const PRIVILEGES: &str = "READ_ONLY ADMIN, CONNECTION ADMIN, PROCESS";

/// The first server of a lab, and its agent.
struct Fenced {
    lab: Lab,
    directory: TempDir,
}

impl Fenced {
    /// A candidate, whose agent fences it without asking anybody.
    async fn alone(builder: Builder) -> Self {
        Self::new(builder.galera(1), "false").await
    }

    async fn new(builder: Builder, quorum: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let config = format!("--config={}", directory.path().join("agent.toml").display());
        let builder = builder.plain().zookeeper(1).agents(true).doors().agent_argument(&config);
        fences(&directory, "read-only", quorum);
        let lab = builder.start(&Progress::stderr()).await.unwrap();
        let server = Self { lab, directory };
        server.sql(&format!("GRANT {PRIVILEGES} ON *.* TO {MONITOR}@'%'")).await;
        server.sql("SET GLOBAL read_only=OFF").await;
        // Its connections have the privileges they were opened with.
        server.restart_agent().await;
        server.agent("is a candidate", |agent| agent.registered.is_some()).await;
        server
    }

    async fn restart_agent(&self) {
        self.lab.agents()[0].stop().await.unwrap();
        self.lab.agents()[0].start().await.unwrap();
    }

    /// Returns when it is back.
    async fn is_down_when_it_should_be_fenced(&self) {
        let node = &self.lab.nodes()[0];
        self.lab.doors()[0].cut();
        node.signal(Signal::KILL).unwrap();
        self.lab.agents()[0].wait_said("the server cannot be fenced", PATIENCE).await.unwrap();
        node.wait_exit(PATIENCE).await.unwrap();
        node.start().await.unwrap();
    }

    async fn sql(&self, statement: &str) {
        self.lab.nodes()[0].execute(statement).await.unwrap();
    }

    async fn is_read_only(&self) -> bool {
        let mut root = self.lab.nodes()[0].root().await.unwrap();
        root.query_first::<bool, _>("SELECT @@read_only").await.unwrap().unwrap()
    }

    async fn is_older_than_its_uptime_is_exact(&self) {
        let mut root = self.lab.nodes()[0].root().await.unwrap();
        let mut old = async || {
            let uptime =
                "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME='Uptime'";
            root.query_first::<u64, _>(uptime).await.unwrap().filter(|seconds| *seconds > 5)
        };
        wait_until(PATIENCE, "the server has run for some seconds", &mut old).await.unwrap();
    }

    async fn agent(&self, what: &str, is: impl Fn(&AgentStatus) -> bool) {
        let agent = &self.lab.agents()[0];
        let fits = async || agent.status().await.ok().filter(|status| is(status)).map(drop);
        wait_until(PATIENCE, &format!("the agent {what}"), fits).await.unwrap();
    }

    async fn is_fenced(&self) {
        self.agent("has fenced its server", |agent| agent.fenced["confirmed"] == true).await;
        // After a restart of the server it takes a moment until the agent has seen that, and fenced it again.
        let read_only = async || self.is_read_only().await.then_some(());
        wait_until(PATIENCE, "the server is read-only", read_only).await.unwrap();
    }

    async fn is_back(&self) {
        self.lab.doors()[0].heal();
        let held = |agent: &AgentStatus| agent.zookeeper_lease.as_ref().is_some_and(|lease| lease.held);
        self.agent("is back, without a fence", |agent| held(agent) && agent.fenced.is_null()).await;
    }
}

/// Has an agent that is started from now on fence in this mode.
fn fences(directory: &TempDir, mode: &str, quorum: &str) {
    let settings = format!("fence = \"{mode}\"\nfence-quorum = {quorum}\n");
    fs::write(directory.path().join("agent.toml"), settings).unwrap();
}

#[tokio::test]
async fn a_server_that_stood_still_when_it_should_have_been_fenced_is_fenced_once_it_answers() {
    let server = Fenced::alone(Lab::builder()).await;
    let node = &server.lab.nodes()[0];
    server.lab.doors()[0].cut();
    node.freeze().await.unwrap();
    server.lab.agents()[0].wait_said("the server cannot be fenced", PATIENCE).await.unwrap();
    node.thaw().unwrap();
    server.is_fenced().await;
    server.is_back().await;
    assert!(!server.is_read_only().await);
    server.lab.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_server_that_was_down_when_it_should_have_been_fenced_is_fenced_once_it_is_back() {
    let server = Fenced::alone(Lab::builder()).await;
    server.is_down_when_it_should_be_fenced().await;
    server.is_fenced().await;
    server.is_back().await;
    assert!(!server.is_read_only().await);
    server.lab.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_restarted_while_its_agent_is_cut_off_is_fenced_anew_and_let_go_on_return() {
    let server = Fenced::alone(Lab::builder()).await;
    let (node, agent) = (&server.lab.nodes()[0], &server.lab.agents()[0]);
    server.lab.doors()[0].cut();
    server.is_fenced().await;
    server.is_older_than_its_uptime_is_exact().await;
    node.signal(Signal::KILL).unwrap();
    node.wait_exit(PATIENCE).await.unwrap();
    node.start().await.unwrap();
    agent.wait_said("the server was restarted, which has lifted the fence", PATIENCE).await.unwrap();
    server.is_fenced().await;
    server.is_back().await;
    assert!(!server.is_read_only().await);
    server.lab.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_server_that_came_back_read_only_by_its_own_settings_is_left_so() {
    let server = Fenced::alone(Lab::builder().server_option("read_only", "ON")).await;
    server.is_down_when_it_should_be_fenced().await;
    server.lab.agents()[0].wait_said("that is left to whoever has set it", PATIENCE).await.unwrap();
    server.is_back().await;
    server.agent("finds the server read-only", |agent| agent.reason.contains("read_only")).await;
    assert!(server.is_read_only().await);
    server.lab.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_fence_is_lifted_by_an_agent_that_was_started_anew_not_to_fence() {
    let server = Fenced::alone(Lab::builder()).await;
    let agent = &server.lab.agents()[0];
    server.lab.doors()[0].cut();
    server.is_fenced().await;
    fences(&server.directory, "off", "false");
    server.restart_agent().await;
    agent.wait_said("the server was fenced by an earlier run of this agent", PATIENCE).await.unwrap();
    assert!(server.is_read_only().await);
    server.is_back().await;
    assert!(!server.is_read_only().await);
    server.lab.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_agent_that_is_started_anew_while_it_is_cut_off_knows_whom_to_ask() {
    let server = Fenced::new(Lab::builder().galera(2), "true").await;
    let (first, second) = (&server.lab.agents()[0], &server.lab.agents()[1]);
    let registered = async || second.status().await.ok()?.registered.map(drop);
    wait_until(PATIENCE, "there is another candidate", registered).await.unwrap();
    // What is learnt is written down a moment later.
    let learnt = first.directory().join("state/agent.json");
    let written = async || fs::read_to_string(&learnt).ok()?.contains(":9308").then_some(());
    wait_until(PATIENCE, "the first agent has written down where the other is", written).await.unwrap();
    server.lab.doors()[0].cut();
    // One that is asked to stop has time to fence the server itself.
    first.kill().await.unwrap();
    first.start().await.unwrap();
    server.is_fenced().await;
    server.is_back().await;
    server.lab.shutdown().await.unwrap();
}
