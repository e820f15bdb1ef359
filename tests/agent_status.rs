//! When the agent is ready, and what it says when it is not.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use capitana::admin::AdminView;
use capitana::agent::{AgentView, HealthStatus, Registered, RegistrationStatus};
use capitana_core::{Epoch, HostPort, Link};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

fn view(fit: bool, zookeeper: Link, registered: bool) -> AgentView {
    let health = HealthStatus {
        fit,
        reason: "read_only is not OFF".to_owned(),
        since: "2026-11-21T23:00:00.000Z".to_owned(),
        since_ms: 1_795_302_000_000,
        last_check: None,
    };
    let registered = registered
        .then(|| Registered { path: "/mariadb/primary/node-0000000007".to_owned(), epoch: Epoch(42) });
    AgentView {
        node: "db1".to_owned(),
        server: "127.0.0.1:3306".to_owned(),
        advertise: HostPort::new("db1.internal", 3306).unwrap(),
        health: watch::channel(health).1,
        registration: watch::channel(RegistrationStatus { zookeeper, registered }).1,
        stop: CancellationToken::new(),
    }
}

#[test]
fn an_agent_with_a_znode_is_ready() {
    assert_eq!(view(true, Link::Up, true).ready(), Ok(()));
}

#[test]
fn an_agent_stays_ready_while_zookeeper_is_lost_and_its_session_is_not() {
    assert_eq!(view(true, Link::Down("no server answers".to_owned()), true).ready(), Ok(()));
}

#[test]
fn an_agent_of_an_unfit_server_says_why_it_is_unfit() {
    assert_eq!(view(false, Link::Up, false).ready(), Err("read_only is not OFF".to_owned()));
}

#[test]
fn an_agent_without_zookeeper_says_so() {
    let cause = "connection refused".to_owned();
    assert_eq!(
        view(true, Link::NeverUp(Some(cause)), false).ready(),
        Err("ZooKeeper has not been reached yet: connection refused".to_owned())
    );
}

#[test]
fn an_agent_that_stops_is_not_ready() {
    let view = view(true, Link::Up, true);
    view.stop.cancel();
    assert_eq!(view.ready(), Err("the agent is stopping".to_owned()));
}

#[test]
fn the_status_names_server_verdict_and_znode() {
    let status = view(true, Link::Up, true).status();
    assert_eq!(status["node"], "db1");
    assert_eq!(status["advertise"], "db1.internal:3306");
    assert_eq!(status["fit"], true);
    assert_eq!(status["registered"]["epoch"], 42);
    assert_eq!(status["zookeeper"]["state"], "up");
}
