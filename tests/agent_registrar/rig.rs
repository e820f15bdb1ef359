//! A registrar at work against a ZooKeeper in memory, and what tests wait for. It owns no test.

use std::sync::Arc;
use std::time::Duration;

use capitana::agent::{
    AgentMetrics, AgentRegistrant, CanaryStatus, Candidate, FenceStatus, HealthStatus, Member, Others,
    RegistrationStatus, SteppedDown, Tuning,
};
use capitana::clock::BootClock;
use capitana::registrar::{Heart, Registrar};
use capitana_core::MemberData;
use capitana_core::health::Proof;
use prometheus::Registry;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::fake::{FakeZooKeeper, PATH};

/// How long a test waits for what should take milliseconds.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// Of the node whose registrar it is.
pub(crate) const GUID: &str = "0b4c4c5e-6d0c-4d52-8a53-0d7e5f6f9d11";

/// A registrar at work.
pub(crate) struct Rig {
    pub(crate) zookeeper: FakeZooKeeper,
    health: watch::Sender<HealthStatus>,
    pub(crate) word: watch::Sender<Option<SteppedDown>>,
    pub(crate) status: watch::Receiver<RegistrationStatus>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Rig {
    pub(crate) fn start(zookeeper: FakeZooKeeper, fit: bool) -> Self {
        Self::delayed(zookeeper, fit, Duration::ZERO)
    }

    pub(crate) fn delayed(zookeeper: FakeZooKeeper, fit: bool, delay: Duration) -> Self {
        Self::of(zookeeper, fit, delay, None)
    }

    pub(crate) fn incarnation(zookeeper: FakeZooKeeper, incarnation: u64) -> Self {
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
            lag: None,
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
            lag: None,
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
            tuning: Tuning::fixed(delay),
            fence: watch::channel(FenceStatus::default()).1,
        };
        let (registrant, status) =
            AgentRegistrant::new(member, candidate, Others::default(), Arc::clone(&metrics));
        let registrar =
            Registrar::new(registrant, Heart::new().0, metrics.link.clone(), Duration::from_secs(6), 1);
        let task = tokio::spawn(registrar.run(zookeeper.clone()));
        Self { zookeeper, health, word, status, stop, task }
    }

    pub(crate) fn set_fit(&self, fit: bool) {
        self.health.send_modify(|health| health.fit = fit);
    }

    pub(crate) async fn wait_for(
        &mut self,
        what: impl Fn(&RegistrationStatus) -> bool,
    ) -> RegistrationStatus {
        timeout(DEADLINE, self.status.wait_for(|status| what(status))).await.unwrap().unwrap().clone()
    }

    /// Waits until it is registered, and answers the epoch.
    pub(crate) async fn registered(&mut self) -> i64 {
        self.wait_for(|status| status.registered.is_some()).await.registered.unwrap().epoch.0
    }

    pub(crate) async fn withdrawn(&mut self) {
        self.wait_for(|status| status.registered.is_none()).await;
    }

    pub(crate) async fn stopped(self) -> FakeZooKeeper {
        self.stop.cancel();
        timeout(DEADLINE, self.task).await.unwrap().unwrap();
        self.zookeeper
    }
}
