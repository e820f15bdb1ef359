//! What becomes of a fence when the server does not answer, is restarted, or its agent is started anew with other settings:
//! one ordinary server, whose agent is cut off from a ZooKeeper that serves everybody else.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::fs;
use std::time::Duration;

use capitana_lab::status::AgentStatus;
use capitana_lab::{Builder, Lab, MONITOR, Process, Progress, wait_until};
use mysql_async::prelude::Queryable;
use rustix::process::Signal;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
/// As README says it of plain servers.
const PRIVILEGES: &str = "READ_ONLY ADMIN, CONNECTION ADMIN, PROCESS";

struct Alone {
    lab: Lab,
    directory: TempDir,
}

impl Alone {
    /// A server that is a candidate, whose agent fences it without asking anybody.
    async fn new(builder: Builder) -> Self {
        let directory = TempDir::new().unwrap();
        let config = format!("--config={}", directory.path().join("agent.toml").display());
        let builder = builder.plain().galera(1).zookeeper(1).agents(true).doors().agent_argument(&config);
        fences(&directory, "read-only");
        let lab = builder.start(&Progress::stderr()).await.unwrap();
        let alone = Self { lab, directory };
        alone.sql(&format!("GRANT {PRIVILEGES} ON *.* TO {MONITOR}@'%'")).await;
        alone.sql("SET GLOBAL read_only=OFF").await;
        // Its connections have the privileges they were opened with.
        alone.restart_agent().await;
        alone.agent("is a candidate", |agent| agent.registered.is_some()).await;
        alone
    }

    async fn restart_agent(&self) {
        self.lab.agents()[0].stop().await.unwrap();
        self.lab.agents()[0].start().await.unwrap();
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
        assert!(self.is_read_only().await);
    }

    async fn is_back(&self) {
        self.lab.doors()[0].heal();
        let held = |agent: &AgentStatus| agent.zookeeper_lease.as_ref().is_some_and(|lease| lease.held);
        self.agent("is back, without a fence", |agent| held(agent) && agent.fenced.is_null()).await;
    }
}

/// Has an agent that is started from now on fence in this mode.
fn fences(directory: &TempDir, mode: &str) {
    let settings = format!("fence = \"{mode}\"\nfence-quorum = false\n");
    fs::write(directory.path().join("agent.toml"), settings).unwrap();
}

async fn wait_said(process: &Process, what: &str) {
    let said = async || process.log_tail(200).contains(what).then_some(());
    wait_until(PATIENCE, &format!("{} says {what}", process.name()), said).await.unwrap();
}

#[tokio::test]
async fn a_server_that_stood_still_when_it_should_have_been_fenced_is_fenced_once_it_answers() {
    let alone = Alone::new(Lab::builder()).await;
    let node = &alone.lab.nodes()[0];
    alone.lab.doors()[0].cut();
    node.freeze().await.unwrap();
    wait_said(&alone.lab.agents()[0], "the server cannot be fenced").await;
    node.thaw().unwrap();
    alone.is_fenced().await;
    alone.is_back().await;
    assert!(!alone.is_read_only().await);
    alone.lab.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_restarted_while_its_agent_is_cut_off_is_fenced_anew_and_let_go_on_return() {
    let alone = Alone::new(Lab::builder()).await;
    let (node, agent) = (&alone.lab.nodes()[0], &alone.lab.agents()[0]);
    alone.lab.doors()[0].cut();
    alone.is_fenced().await;
    alone.is_older_than_its_uptime_is_exact().await;
    node.signal(Signal::KILL).unwrap();
    node.wait_exit(PATIENCE).await.unwrap();
    node.start().await.unwrap();
    wait_said(agent, "the server was restarted, which has lifted the fence").await;
    alone.is_fenced().await;
    alone.is_back().await;
    assert!(!alone.is_read_only().await);
    alone.lab.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_server_that_came_back_read_only_by_its_own_settings_is_left_so() {
    let alone = Alone::new(Lab::builder().server_option("read_only", "ON")).await;
    let node = &alone.lab.nodes()[0];
    alone.lab.doors()[0].cut();
    node.signal(Signal::KILL).unwrap();
    wait_said(&alone.lab.agents()[0], "the server cannot be fenced").await;
    node.wait_exit(PATIENCE).await.unwrap();
    node.start().await.unwrap();
    wait_said(&alone.lab.agents()[0], "that is left to whoever has set it").await;
    alone.is_back().await;
    alone.agent("finds the server read-only", |agent| agent.reason.contains("read_only")).await;
    assert!(alone.is_read_only().await);
    alone.lab.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_fence_is_lifted_by_an_agent_that_was_started_anew_not_to_fence() {
    let alone = Alone::new(Lab::builder()).await;
    let agent = &alone.lab.agents()[0];
    alone.lab.doors()[0].cut();
    alone.is_fenced().await;
    fences(&alone.directory, "off");
    alone.restart_agent().await;
    wait_said(agent, "the server was fenced by an earlier run of this agent").await;
    assert!(alone.is_read_only().await);
    alone.is_back().await;
    assert!(!alone.is_read_only().await);
    alone.lab.shutdown().await.unwrap();
}
