//! The registrar against a ZooKeeper in memory: what it does when replies, sessions and znodes are lost.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod fake;

use std::sync::Arc;
use std::time::Duration;

use capitana::agent::{
    AgentMetrics, CanaryStatus, Candidate, Connect, FenceStatus, HealthStatus, Heart, Member, Registrar,
    RegistrationStatus, SteppedDown,
};
use capitana::clock::BootClock;
use capitana::control::coordinator::read_election;
use capitana::control::{Coordinator, LinkState};
use capitana_core::health::Proof;
use capitana_core::{Link, MemberData};
use prometheus::Registry;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use fake::{FakeZooKeeper, Fault, PATH};

const DEADLINE: Duration = Duration::from_secs(20);
const GUID: &str = "0b4c4c5e-6d0c-4d52-8a53-0d7e5f6f9d11";

/// A registrar at work.
struct Rig {
    zookeeper: FakeZooKeeper,
    health: watch::Sender<HealthStatus>,
    word: watch::Sender<Option<SteppedDown>>,
    status: watch::Receiver<RegistrationStatus>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Rig {
    fn start(zookeeper: FakeZooKeeper, fit: bool) -> Self {
        Self::delayed(zookeeper, fit, Duration::ZERO)
    }

    fn delayed(zookeeper: FakeZooKeeper, fit: bool, delay: Duration) -> Self {
        Self::of(zookeeper, fit, delay, None)
    }

    fn incarnation(zookeeper: FakeZooKeeper, incarnation: u64) -> Self {
        Self::of(zookeeper, true, Duration::ZERO, Some(incarnation))
    }

    fn of(zookeeper: FakeZooKeeper, fit: bool, delay: Duration, incarnation: Option<u64>) -> Self {
        let (health, published) = watch::channel(HealthStatus {
            fit,
            reason: "as the test says".to_owned(),
            since: String::new(),
            since_ms: 1234,
            since_at: Instant::now(),
            undecided: false,
            proof: Proof::new(BootClock.now(), Duration::from_secs(3600)),
            last_check: None,
            canary: CanaryStatus::default(),
        });
        let data = MemberData {
            host: "db1.internal".to_owned(),
            port: 3306,
            guid: None,
            node: Some("db1".to_owned()),
            version: None,
            since_ms: None,
            weight: None,
            admin: None,
            incarnation,
        };
        let member =
            Member { election_path: PATH.to_owned(), guid: GUID.to_owned(), sessions: Vec::new(), data };
        let metrics = Arc::new(AgentMetrics::register(&Registry::new()).unwrap());
        let stop = CancellationToken::new();
        let (word, stepped_down) = watch::channel(None);
        let candidate = Candidate {
            health: published,
            stepped_down,
            stop: stop.clone(),
            delay,
            fence: watch::channel(FenceStatus::default()).1,
        };
        let (registrar, status) = Registrar::new(member, candidate, Heart::new().0, metrics, 1);
        let task = tokio::spawn(registrar.run(zookeeper.clone()));
        Self { zookeeper, health, word, status, stop, task }
    }

    fn set_fit(&self, fit: bool) {
        self.health.send_modify(|health| health.fit = fit);
    }

    async fn wait_for(&mut self, what: impl Fn(&RegistrationStatus) -> bool) -> RegistrationStatus {
        timeout(DEADLINE, self.status.wait_for(|status| what(status))).await.unwrap().unwrap().clone()
    }

    /// Waits until it is registered, and answers the epoch.
    async fn registered(&mut self) -> i64 {
        self.wait_for(|status| status.registered.is_some()).await.registered.unwrap().epoch.0
    }

    async fn withdrawn(&mut self) {
        self.wait_for(|status| status.registered.is_none()).await;
    }

    async fn stopped(self) -> FakeZooKeeper {
        self.stop.cancel();
        timeout(DEADLINE, self.task).await.unwrap().unwrap();
        self.zookeeper
    }
}

#[tokio::test]
async fn a_fit_server_is_registered_with_what_proxies_need() {
    let mut rig = Rig::start(FakeZooKeeper::default(), true);
    let epoch = rig.registered().await;
    let znodes = rig.zookeeper.znodes();
    assert_eq!(znodes.len(), 1);
    let (name, data, stat) = &znodes[0];
    assert!(name.starts_with("node-"));
    assert_eq!(stat.czxid, epoch);
    let data: MemberData = serde_json::from_slice(data).unwrap();
    assert_eq!((data.host.as_str(), data.port), ("db1.internal", 3306));
    assert_eq!(data.guid.as_deref(), Some(GUID));
    assert_eq!(data.since_ms, Some(1234));
}

#[tokio::test]
async fn a_server_that_becomes_unfit_is_withdrawn_and_comes_back_with_a_later_epoch() {
    let mut rig = Rig::start(FakeZooKeeper::default(), true);
    let first = rig.registered().await;
    rig.set_fit(false);
    rig.withdrawn().await;
    assert!(rig.zookeeper.znodes().is_empty());
    rig.set_fit(true);
    assert!(rig.registered().await > first);
}

#[tokio::test]
async fn a_create_whose_reply_is_lost_is_found_again() {
    let zookeeper = FakeZooKeeper::default();
    zookeeper.order(Fault::LoseReply);
    let mut rig = Rig::start(zookeeper, true);
    rig.registered().await;
    assert_eq!(rig.zookeeper.znodes().len(), 1);
    assert_eq!(rig.zookeeper.most_znodes(), 1);
}

#[tokio::test]
async fn a_create_that_is_lost_is_made_again() {
    let zookeeper = FakeZooKeeper::default();
    zookeeper.order(Fault::LoseRequest);
    let mut rig = Rig::start(zookeeper, true);
    rig.registered().await;
    assert_eq!(rig.zookeeper.znodes().len(), 1);
}

#[tokio::test]
async fn a_znode_of_a_session_that_is_over_is_replaced_and_never_doubled() {
    let mut rig = Rig::start(FakeZooKeeper::default(), true);
    let first = rig.registered().await;
    rig.zookeeper.set_link(LinkState::Over);
    rig.wait_for(|status| status.registered.as_ref().is_some_and(|r| r.epoch.0 > first)).await;
    let znodes = rig.zookeeper.znodes();
    assert_eq!(znodes.len(), 1);
    assert_eq!(znodes[0].2.ephemeral_owner, 2);
    assert_eq!(rig.zookeeper.most_znodes(), 1);
}

#[tokio::test]
async fn a_session_that_the_ensemble_still_holds_is_resumed_with_its_znode_and_epoch() {
    let mut rig = Rig::start(FakeZooKeeper::default(), true);
    let first = rig.registered().await;
    let before = rig.zookeeper.znodes();
    rig.zookeeper.keep_sessions();
    rig.zookeeper.set_link(LinkState::Over);
    rig.withdrawn().await;
    assert_eq!(rig.registered().await, first);
    let after = rig.zookeeper.znodes();
    assert_eq!((&after[0].0, after[0].2), (&before[0].0, before[0].2));
    assert_eq!(after.len(), 1);
}

#[tokio::test]
async fn a_znode_deleted_by_somebody_else_is_created_again() {
    let mut rig = Rig::start(FakeZooKeeper::default(), true);
    let first = rig.registered().await;
    rig.zookeeper.delete_all();
    rig.wait_for(|status| status.registered.as_ref().is_some_and(|r| r.epoch.0 > first)).await;
    assert_eq!(rig.zookeeper.znodes().len(), 1);
}

#[tokio::test]
async fn nothing_is_asked_while_the_link_is_down() {
    let mut rig = Rig::start(FakeZooKeeper::default(), true);
    rig.registered().await;
    rig.zookeeper.set_link(LinkState::Disconnected);
    rig.wait_for(|status| matches!(status.zookeeper, Link::Down(_))).await;
    let asked = rig.zookeeper.requests();
    rig.set_fit(false);
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.zookeeper.requests(), asked);
    rig.zookeeper.set_link(LinkState::Connected);
    rig.withdrawn().await;
    assert!(rig.zookeeper.znodes().is_empty());
}

#[tokio::test]
async fn an_agent_that_is_stopped_leaves_neither_znode_nor_session() {
    let mut rig = Rig::start(FakeZooKeeper::default(), true);
    rig.registered().await;
    let zookeeper = rig.stopped().await;
    assert!(zookeeper.znodes().is_empty());
    assert_eq!(zookeeper.open_sessions(), 0);
}

#[tokio::test]
async fn an_agent_that_is_stopped_while_its_znode_is_being_created_leaves_none() {
    let zookeeper = FakeZooKeeper::default();
    zookeeper.order(Fault::LoseReply);
    let mut rig = Rig::start(zookeeper, true);
    rig.wait_for(|status| status.zookeeper == Link::Up).await;
    let zookeeper = rig.stopped().await;
    assert!(zookeeper.znodes().is_empty());
}

#[tokio::test]
async fn an_unfit_server_is_not_registered() {
    let mut rig = Rig::start(FakeZooKeeper::default(), false);
    rig.wait_for(|status| status.zookeeper == Link::Up).await;
    let zookeeper = rig.stopped().await;
    assert_eq!(zookeeper.most_znodes(), 0);
}

#[tokio::test]
async fn all_members_of_an_election_are_asked_for_at_once() {
    let zookeeper = FakeZooKeeper::default();
    let session = zookeeper.connect(None).await.unwrap();
    session.ensure_path(PATH).await.unwrap();
    for number in 0..3 {
        session.create_sequential(&format!("{PATH}/node-"), &[number]).await.unwrap();
    }
    zookeeper.answer_reads_together(3);
    let (view, _watch) = timeout(DEADLINE, read_election(&session, PATH)).await.unwrap().unwrap();
    let data: Vec<_> = view.members.iter().map(|member| member.data.clone()).collect();
    assert_eq!(data, [[0], [1], [2]]);
}

fn by_an_operator() -> SteppedDown {
    SteppedDown { since: "2026-11-22T01:00:00.000Z".to_owned(), by: "curl from ::1".to_owned() }
}

#[tokio::test]
async fn an_agent_that_is_stepped_down_is_withdrawn_and_stays_out_until_it_is_told_to_rejoin() {
    let mut rig = Rig::start(FakeZooKeeper::default(), true);
    let first = rig.registered().await;
    rig.word.send_replace(Some(by_an_operator()));
    rig.wait_for(|status| status.withdrawn).await;
    assert!(rig.zookeeper.znodes().is_empty());
    // What would register it otherwise does not.
    rig.set_fit(false);
    rig.set_fit(true);
    let asked = rig.zookeeper.requests();
    rig.zookeeper.delete_all();
    timeout(DEADLINE, async {
        while rig.zookeeper.requests() == asked {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    rig.wait_for(|status| status.withdrawn).await;
    assert!(rig.zookeeper.znodes().is_empty());
    rig.word.send_replace(None);
    assert!(rig.registered().await > first);
}

#[tokio::test]
async fn a_step_down_while_the_znode_is_being_created_leaves_none() {
    let zookeeper = FakeZooKeeper::default();
    zookeeper.order(Fault::LoseReply);
    let mut rig = Rig::start(zookeeper, true);
    rig.wait_for(|status| status.zookeeper == Link::Up).await;
    rig.word.send_replace(Some(by_an_operator()));
    rig.wait_for(|status| status.withdrawn).await;
    assert!(rig.zookeeper.znodes().is_empty());
}

#[tokio::test]
async fn a_server_of_low_priority_is_registered_when_its_delay_is_over() {
    let (delay, started) = (Duration::from_millis(300), Instant::now());
    let mut rig = Rig::delayed(FakeZooKeeper::default(), true, delay);
    rig.registered().await;
    assert!(started.elapsed() >= delay, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_reading_tells_whether_the_agent_leads() {
    let zookeeper = FakeZooKeeper::default();
    let other = zookeeper.connect(None).await.unwrap();
    other.ensure_path(PATH).await.unwrap();
    let (path, _) = other.create_sequential(&format!("{PATH}/node-"), b"db2.internal").await.unwrap();
    let mut rig = Rig::start(zookeeper, true);
    rig.registered().await;
    assert!(!rig.wait_for(|status| status.registered.is_some()).await.leads);
    other.delete(&path).await.unwrap();
    rig.wait_for(|status| status.leads).await;
}

#[tokio::test]
async fn an_agent_waits_until_another_znode_of_its_server_is_gone() {
    let zookeeper = FakeZooKeeper::default();
    let another = zookeeper.connect(None).await.unwrap();
    another.ensure_path(PATH).await.unwrap();
    let (ghost, _) = another.create_sequential(&format!("{PATH}/node-"), b"db1.internal:3306").await.unwrap();
    let mut rig = Rig::start(zookeeper, true);
    let told = rig.wait_for(|status| status.rival.is_some()).await;
    assert!(told.rival.unwrap().contains("db1.internal:3306"));
    assert_eq!(rig.zookeeper.znodes().len(), 1);
    another.delete(&ghost).await.unwrap();
    rig.registered().await;
    assert_eq!(rig.zookeeper.most_znodes(), 1);
    assert_eq!(rig.status.borrow().rival, None);
}

#[tokio::test]
async fn of_two_agents_with_one_identity_the_later_stays_and_neither_fights() {
    let zookeeper = FakeZooKeeper::default();
    let mut first = Rig::incarnation(zookeeper.clone(), 1);
    first.registered().await;
    let mut second = Rig::incarnation(zookeeper, 2);
    second.registered().await;
    first
        .wait_for(|status| status.rival.as_ref().is_some_and(|rival| rival.contains("state-directory")))
        .await;
    assert_eq!(second.zookeeper.znodes().len(), 1);
    assert!(second.status.borrow().registered.is_some() && first.status.borrow().registered.is_none());
    drop(second.stopped().await);
    first.registered().await;
}
