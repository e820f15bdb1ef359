//! What operators do and what befalls a cluster besides: an election that HAProxy follows, a step-down from a shell, and
//! the fast forms of the scenarios about a minority, a donor, replicas and a node that comes and goes.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod quick;

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Output};
use std::time::Duration;

use capitana_lab::{APP, Lab, MONITOR, Process, Progress, client, http, program, wait_until};
use mysql_async::prelude::Queryable;
use quick::{passes, passes_but_for};

const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn a_node_that_is_left_alone_leaves_the_election_and_acknowledges_nothing_that_the_others_lack() {
    passes("minority");
}

#[test]
fn a_node_that_joins_by_a_state_transfer_costs_no_client_anything() {
    passes("donor");
}

#[test]
fn a_replica_that_comes_and_goes_changes_no_primary() {
    passes("flapping");
}

#[test]
fn readers_are_spread_over_the_replicas_and_notice_no_planned_change() {
    passes("replicas");
}

#[test]
fn a_read_on_a_replica_sees_the_write_before_it_and_the_page_about_replicas_is_true() {
    passes("causal-reads");
}

#[test]
fn a_hundred_processes_follow_their_settings_and_none_uses_bad_ones() {
    passes_but_for("config-live", &["_ms is"]);
}

#[test]
fn prometheus_and_a_file_follow_processes_that_come_and_go() {
    passes_but_for("discovery", &["_ms is"]);
}

/// HAProxy before the nodes of a lab, which asks the agents.
async fn haproxy(lab: &Lab) -> (Process, SocketAddr, SocketAddr) {
    let address = lab.slot().other(0);
    let (primary, replicas) = (SocketAddr::from((address, 3306)), SocketAddr::from((address, 3307)));
    let mut config = String::from(
        "defaults\n mode tcp\n timeout connect 2s\n timeout client 1m\n timeout server 1m\n timeout check 1s\n \
         default-server check port 9308 inter 200ms fall 1 rise 1 on-marked-down shutdown-sessions\n",
    );
    for (name, bind, check) in [("primary", primary, "GET /primary"), ("replicas", replicas, "/replica")] {
        config += &format!("listen {name}\n bind {bind}\n option httpchk {check}\n");
        for node in lab.nodes() {
            config += &format!(" server {} {}\n", node.name(), node.address());
        }
    }
    let path = lab.slot().directory().join("haproxy.cfg");
    fs::write(&path, config).unwrap();
    let process = lab.process("haproxy", move || {
        let mut command = Command::new("/usr/sbin/haproxy");
        command.arg("-db").arg("-f").arg(&path);
        Ok(command)
    });
    let process = process.unwrap();
    process.start().await.unwrap();
    (process, primary, replicas)
}

/// The node that is reached there. A session that ends during the question gives none.
async fn reached(address: SocketAddr) -> Option<String> {
    let mut conn = client::connect(address, APP, APP).await.ok()?;
    conn.query_first("SELECT @@wsrep_node_name").await.ok()?
}

/// The index of the node whose agent says that it leads. None: nobody does, or more than one.
async fn elected(lab: &Lab) -> Option<usize> {
    let mut leads = Vec::new();
    for (index, agent) in lab.agents().iter().enumerate() {
        let answer = http::get(agent.admin(), "/primary").await.ok()?;
        leads.extend(answer.0.is_success().then_some(index));
    }
    (leads.len() == 1).then(|| leads[0])
}

async fn leads_to(lab: &Lab, address: SocketAddr, not: Option<usize>) -> usize {
    let followed = async || {
        let elected = elected(lab).await.filter(|elected| Some(*elected) != not)?;
        (reached(address).await? == lab.nodes()[elected].name()).then_some(elected)
    };
    wait_until(DEADLINE, "HAProxy leads to the elected node", followed).await.unwrap().0
}

/// An order to the agent of node `index`, from a shell on its host.
fn order(lab: &Lab, index: usize, flags: &[&str]) -> Output {
    let (node, agent) = (lab.nodes()[index].address().to_string(), lab.agents()[index].admin().to_string());
    let password = lab.slot().directory().join("monitor-password");
    Command::new(program().unwrap())
        .args(["agent", "--zookeeper", &lab.zookeeper(), "--server", &node, "--advertise", &node])
        .args(["--user", MONITOR, "--password-file", password.to_str().unwrap(), "--admin-listen", &agent])
        .args(flags)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_follows_the_election_through_a_step_down_that_waits_for_the_last_client() {
    let progress = Progress::stderr();
    let lab = Lab::builder().galera(3).zookeeper(1).agents(true).start(&progress).await.unwrap();
    let (_haproxy, primary, replicas) = haproxy(&lab).await;
    let first = leads_to(&lab, primary, None).await;
    let elsewhere = async || reached(replicas).await.filter(|name| name != lab.nodes()[first].name());
    wait_until(DEADLINE, "HAProxy leads to replicas", elsewhere).await.unwrap();

    // A client of the server's own: HAProxy does not end it, and it is waited for.
    let direct = client::connect(lab.nodes()[first].address(), APP, APP).await.unwrap();
    let waited = order(&lab, first, &["--step-down", "--wait", "1s"]);
    let said = String::from_utf8_lossy(&waited.stderr).into_owned();
    assert_eq!(waited.status.code(), Some(75), "{said}");
    assert!(said.contains("client sessions are left on") && said.contains(&format!("{APP}@")), "{said}");
    let second = leads_to(&lab, primary, Some(first)).await;

    direct.disconnect().await.unwrap();
    let drained = order(&lab, first, &["--step-down", "--wait", "30s"]);
    assert!(drained.status.success(), "{}", String::from_utf8_lossy(&drained.stderr));
    assert!(String::from_utf8_lossy(&drained.stdout).contains("drained: no client session is left"));

    let rejoined = order(&lab, first, &["--rejoin"]);
    let said = String::from_utf8_lossy(&rejoined.stdout).into_owned();
    assert!(rejoined.status.success() && said.starts_with("rejoined as "), "{said}");
    assert_eq!(leads_to(&lab, primary, None).await, second);
    lab.shutdown().await.unwrap();
}
