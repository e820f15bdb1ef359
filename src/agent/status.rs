//! What the agent says of itself: a snapshot by each of its two tasks, and the answer for the admin endpoint put
//! together from them when it is asked for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use capitana_core::health::{Health, Reading};
use capitana_core::registration::OwnZnode;
use capitana_core::{Epoch, HostPort, Link};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::admin::AdminView;

/// The monitor's snapshot.
#[derive(Debug, Clone, Serialize)]
pub struct HealthStatus {
    /// Whether the server may lead.
    pub fit: bool,
    /// Why, for people.
    pub reason: String,
    /// Since when `fit` is as it is, RFC 3339 UTC.
    pub since: String,
    /// The same in milliseconds since 1970 UTC.
    pub since_ms: u64,
    /// The last check.
    pub last_check: Option<LastCheck>,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub struct LastCheck {
    /// When it ended, RFC 3339 UTC.
    pub at: String,
    /// How long it took.
    pub milliseconds: f64,
    /// What speaks against the server, or why the check failed. None: it passed.
    pub problem: Option<String>,
    /// What was read.
    pub reading: Option<Reading>,
}

/// The registrar's snapshot.
#[derive(Debug, Clone, Serialize)]
pub struct RegistrationStatus {
    /// The link to ZooKeeper.
    pub zookeeper: Link,
    /// The agent's znode, if it has one.
    pub registered: Option<Registered>,
}

/// The agent's znode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Registered {
    /// Its path.
    pub path: String,
    /// The epoch of the leadership it gives.
    pub epoch: Epoch,
}

impl HealthStatus {
    /// The first snapshot.
    #[must_use]
    pub fn of(health: &Health, now: SystemTime) -> Self {
        let verdict = health.verdict();
        Self {
            fit: verdict.fit,
            reason: verdict.reason.to_string(),
            since: rfc3339(now),
            since_ms: milliseconds(now),
            last_check: None,
        }
    }

    /// Takes a verdict over.
    pub fn update(&mut self, fit: bool, reason: String) {
        if fit != self.fit {
            let now = SystemTime::now();
            self.since = rfc3339(now);
            self.since_ms = milliseconds(now);
        }
        self.fit = fit;
        self.reason = reason;
    }
}

impl LastCheck {
    /// A check that has just ended.
    #[must_use]
    pub fn new(took: Duration, problem: Option<String>, reading: Option<Reading>) -> Self {
        let milliseconds = took.as_secs_f64() * 1e3;
        Self { at: rfc3339(SystemTime::now()), milliseconds, problem, reading }
    }
}

impl Registered {
    /// This znode below `election_path`.
    #[must_use]
    pub fn at(election_path: &str, znode: &OwnZnode) -> Self {
        Self { path: format!("{election_path}/{}", znode.name), epoch: znode.epoch }
    }
}

/// Answers for the agent.
pub struct AgentView {
    /// The node's name.
    pub node: String,
    /// The server that is checked.
    pub server: String,
    /// Where proxies are sent.
    pub advertise: HostPort,
    /// The monitor's snapshots.
    pub health: watch::Receiver<HealthStatus>,
    /// The registrar's snapshots.
    pub registration: watch::Receiver<RegistrationStatus>,
    /// Cancelled when the agent is asked to stop.
    pub stop: CancellationToken,
}

#[derive(Serialize)]
struct AgentStatus<'a> {
    version: &'static str,
    node: &'a str,
    server: &'a str,
    advertise: &'a HostPort,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_ready_because: Option<String>,
    stopping: bool,
    #[serde(flatten)]
    health: HealthStatus,
    #[serde(flatten)]
    registration: RegistrationStatus,
}

impl AdminView for AgentView {
    fn ready(&self) -> Result<(), String> {
        if self.stop.is_cancelled() {
            return Err("the agent is stopping".to_owned());
        }
        let health = self.health.borrow();
        if !health.fit {
            return Err(health.reason.clone());
        }
        let registration = self.registration.borrow();
        match (&registration.zookeeper, &registration.registered) {
            (_, Some(_)) => Ok(()),
            (Link::Up, None) => Err("the server is fit, and its znode is being created".to_owned()),
            (Link::Down(cause), None) => Err(format!("ZooKeeper cannot be reached: {cause}")),
            (Link::NeverUp(Some(cause)), None) => Err(format!("ZooKeeper has not been reached yet: {cause}")),
            (Link::NeverUp(None), None) => Err("ZooKeeper has not answered yet".to_owned()),
        }
    }

    fn status(&self) -> serde_json::Value {
        let ready = self.ready();
        let status = AgentStatus {
            version: env!("CARGO_PKG_VERSION"),
            node: &self.node,
            server: &self.server,
            advertise: &self.advertise,
            ready: ready.is_ok(),
            not_ready_because: ready.err(),
            stopping: self.stop.is_cancelled(),
            health: self.health.borrow().clone(),
            registration: self.registration.borrow().clone(),
        };
        serde_json::to_value(status).unwrap_or_default()
    }
}

fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
