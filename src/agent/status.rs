//! What the agent says of itself: a snapshot by each of its two tasks, and the answer for the admin endpoint put
//! together from them when it is asked for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use capitana_core::health::{Health, Proof, Reading, Verdict};
use capitana_core::registration::OwnZnode;
use capitana_core::{Epoch, HostPort, Link};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::canary::CanaryStatus;
use crate::clock::BootClock;

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
    /// The same on this process's clock.
    #[serde(skip)]
    pub since_at: Instant,
    /// Whether the agent has just been started and cannot tell yet.
    #[serde(skip)]
    pub undecided: bool,
    /// What `fit` rests on, and for how long.
    #[serde(skip)]
    pub proof: Proof,
    /// The last check.
    pub last_check: Option<LastCheck>,
    /// How long the receive queue is, in write sets, as proxies are told of it.
    pub lag: Option<u64>,
    /// The agent's own commits.
    pub canary: CanaryStatus,
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
    /// When it ended, on the clock of the machine.
    #[serde(skip)]
    pub ended: Duration,
}

/// The registrar's snapshot.
#[derive(Debug, Clone, Serialize)]
pub struct RegistrationStatus {
    /// The link to ZooKeeper.
    pub zookeeper: Link,
    /// The agent's znode, if it has one.
    pub registered: Option<Registered>,
    /// Whether that is the first candidate's, as far as was read.
    pub leads: bool,
    /// Whether there is a znode that is to stay.
    #[serde(skip)]
    pub stands: bool,
    /// Whether there is certainly no znode, and none is wanted or on its way.
    #[serde(skip)]
    pub withdrawn: bool,
    /// Whether a znode may lead clients to the server, also one that the agent does not know of.
    #[serde(skip)]
    pub may_lead: bool,
    /// The other candidates, as far as was read, also by an earlier run of the agent.
    #[serde(skip)]
    pub others: Others,
    /// Whose znode keeps the agent from registering, for people.
    pub rival: Option<String>,
}

impl RegistrationStatus {
    /// Why there is no znode for a server that is fit, for people.
    #[must_use]
    pub fn obstacle(&self) -> String {
        match &self.zookeeper {
            Link::Up => {
                let made = || "the server is fit, and its znode is being created".to_owned();
                self.rival.clone().unwrap_or_else(made)
            }
            Link::Down(cause) => format!("ZooKeeper cannot be reached: {cause}"),
            Link::NeverUp(Some(cause)) => format!("ZooKeeper has not been reached yet: {cause}"),
            Link::NeverUp(None) => "ZooKeeper has not answered yet".to_owned(),
        }
    }
}

/// The other candidates of a reading.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Others {
    /// How many there are.
    pub count: usize,
    /// Where the agents of those that say so are reached.
    pub admins: Vec<HostPort>,
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
            since_at: Instant::now(),
            undecided: true,
            proof: verdict.proof,
            last_check: None,
            lag: None,
            canary: CanaryStatus::default(),
        }
    }

    /// Takes a verdict over.
    pub fn update(&mut self, verdict: &Verdict) {
        if verdict.fit != self.fit {
            let now = SystemTime::now();
            self.since = rfc3339(now);
            self.since_ms = milliseconds(now);
            self.since_at = Instant::now();
        }
        self.fit = verdict.fit;
        self.reason = verdict.reason.to_string();
        self.proof = verdict.proof;
        // Once there has been a verdict, there is one.
        self.undecided &= verdict.is_undecided();
    }
}

impl LastCheck {
    /// A check that has just ended.
    #[must_use]
    pub fn new(took: Duration, problem: Option<String>, reading: Option<Reading>) -> Self {
        let milliseconds = took.as_secs_f64() * 1e3;
        let (at, ended) = (rfc3339(SystemTime::now()), BootClock.now());
        Self { at, milliseconds, problem, reading, ended }
    }
}

impl Registered {
    /// This znode below `election_path`.
    #[must_use]
    pub fn at(election_path: &str, znode: &OwnZnode) -> Self {
        Self { path: format!("{election_path}/{}", znode.name), epoch: znode.epoch }
    }
}

/// A moment for people.
pub(super) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
