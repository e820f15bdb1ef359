//! When the agent is ready, what it says when it is not, and what it tells load balancers.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::sync::Arc;
use std::time::Duration;

use capitana::admin::{AdminView, Probe};
use capitana::agent::{
    AgentMetrics, AgentView, CanaryStatus, Candidate, FenceStatus, HealthStatus, Operator, Others,
    Registered, RegistrationStatus, SteppedDown, Tuning,
};
use capitana::clock::BootClock;
use capitana::config::FenceMode;
use capitana::live::ConfigStatus;
use capitana_core::fence::Why;
use capitana_core::health::Proof;
use capitana_core::lease::Lease;
use capitana_core::{Epoch, HostPort, Link};
use prometheus::Registry;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What an agent's answers depend on.
struct Agent {
    fit: bool,
    zookeeper: Link,
    registered: bool,
    leads: bool,
    stepped_down: Option<SteppedDown>,
    delay: Duration,
}

/// One that leads.
const PRIMARY: Agent = Agent {
    fit: true,
    zookeeper: Link::Up,
    registered: true,
    leads: true,
    stepped_down: None,
    delay: Duration::ZERO,
};

fn view(fit: bool, zookeeper: Link, registered: bool) -> AgentView {
    Agent { fit, zookeeper, registered, ..PRIMARY }.view()
}

impl Agent {
    fn view(self) -> AgentView {
        let health = health(self.fit);
        let (word, stepped_down) = watch::channel(self.stepped_down);
        let candidate = Candidate {
            health: watch::channel(health).1,
            stepped_down,
            stop: CancellationToken::new(),
            tuning: Tuning::fixed(self.delay),
            fence: watch::channel(FenceStatus::default()).1,
        };
        let registered = self
            .registered
            .then(|| Registered { path: "/mariadb/primary/node-0000000007".to_owned(), epoch: Epoch(42) });
        let registration = RegistrationStatus {
            rival: None,
            zookeeper: self.zookeeper,
            registered,
            leads: self.leads,
            stands: self.registered,
            withdrawn: false,
            may_lead: self.leads,
            others: Others::default(),
        };
        let registration = watch::channel(registration).1;
        let metrics = Arc::new(AgentMetrics::register(&Registry::new()).unwrap());
        AgentView {
            node: "db1".to_owned(),
            server: "127.0.0.1:3306".to_owned(),
            advertise: HostPort::new("db1.internal", 3306).unwrap(),
            operator: Arc::new(Operator::new(word, candidate.clone(), registration.clone(), metrics)),
            candidate,
            registration,
            lease: watch::channel(Lease::new()).1,
            side: None,
            config: watch::channel(ConfigStatus::off()).1,
        }
    }
}

fn health(fit: bool) -> HealthStatus {
    HealthStatus {
        fit,
        reason: "read_only is not OFF".to_owned(),
        since: "2026-11-21T23:00:00.000Z".to_owned(),
        since_ms: 1_795_302_000_000,
        since_at: Instant::now(),
        undecided: false,
        proof: Proof::new(BootClock.now(), Duration::from_secs(3600)),
        last_check: None,
        lag: None,
        canary: CanaryStatus::default(),
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
    view.candidate.stop.cancel();
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

#[test]
fn an_agent_that_stepped_down_says_since_when_and_who_asked_and_what_lets_it_back() {
    let word = SteppedDown { since: "2026-11-22T01:00:00.000Z".to_owned(), by: "curl from ::1".to_owned() };
    let view = Agent { stepped_down: Some(word), registered: false, leads: false, ..PRIMARY }.view();
    let why = view.ready().unwrap_err();
    assert!(why.contains("2026-11-22T01:00:00.000Z by curl from ::1"), "{why}");
    assert!(why.contains("--rejoin"), "{why}");
    assert_eq!(view.status()["stepped_down"]["by"], "curl from ::1");
}

#[test]
fn an_agent_of_low_priority_says_how_long_it_will_wait() {
    let delay = Duration::from_secs(3600);
    let view = Agent { delay, registered: false, leads: false, ..PRIMARY }.view();
    let why = view.ready().unwrap_err();
    assert!(why.contains("rejoin-delay") && why.contains("registers in "), "{why}");
    assert!(view.status()["candidacy"].as_str().unwrap().contains("rejoin-delay"));
}

/// What `/`, `/primary` and `/replica` answer.
fn probes(view: &AgentView) -> [bool; 3] {
    [Probe::Fit, Probe::Primary, Probe::Replica].map(|probe| view.probe(probe).unwrap().is_ok())
}

#[test]
fn only_the_first_candidate_of_the_last_reading_is_the_primary() {
    assert_eq!(probes(&PRIMARY.view()), [true, true, false]);
    assert_eq!(probes(&Agent { leads: false, ..PRIMARY }.view()), [true, false, true]);
    assert_eq!(probes(&Agent { leads: false, registered: false, ..PRIMARY }.view()), [true, false, true]);
}

#[test]
fn a_server_that_is_unfit_is_neither_primary_nor_replica() {
    assert_eq!(probes(&Agent { fit: false, ..PRIMARY }.view()), [false, false, false]);
}

#[test]
fn without_zookeeper_nobody_says_that_it_is_the_primary() {
    let zookeeper = Link::Down("no server answers".to_owned());
    assert_eq!(probes(&Agent { zookeeper, ..PRIMARY }.view()), [true, false, true]);
}

#[test]
fn a_fenced_server_is_nobody_to_go_to() {
    let mut fence = FenceStatus::default();
    fence.update(Some(Why::Alone), FenceMode::ReadOnly, true);
    let mut view = PRIMARY.view();
    view.candidate.fence = watch::channel(fence).1;
    assert_eq!(probes(&view), [false, false, false]);
}

#[test]
fn a_server_that_was_not_checked_for_long_is_nobody_to_go_to() {
    let mut view = PRIMARY.view();
    let outdated = HealthStatus { proof: Proof::new(BootClock.now(), Duration::ZERO), ..health(true) };
    view.candidate.health = watch::channel(outdated).1;
    assert_eq!(probes(&view), [false, false, false]);
}
