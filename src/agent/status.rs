//! What the agent says of itself: a snapshot by each of its two tasks, and the answer for the admin endpoint put
//! together from them when it is asked for.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use capitana_core::candidacy::Standing;
use capitana_core::health::{Health, Proof, Reading, Verdict};
use capitana_core::lease::{self, Lease};
use capitana_core::registration::OwnZnode;
use capitana_core::{Epoch, HostPort, Link};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use super::canary::CanaryStatus;
use super::candidate::Candidate;
use super::fence::FenceStatus;
use super::lease::LeaseStatus;
use super::operator::{Operator, SteppedDown};
use crate::admin::{AdminView, Answer, Order, Ordered, Probe};
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
    /// Whether there is certainly no znode, and none is wanted or on its way.
    #[serde(skip)]
    pub withdrawn: bool,
    /// Whether a znode may lead clients to the server, also one that the agent does not know of.
    #[serde(skip)]
    pub may_lead: bool,
    /// The other candidates, as far as was read.
    #[serde(skip)]
    pub others: Others,
    /// Whose znode keeps the agent from registering, for people.
    pub rival: Option<String>,
}

/// The other candidates of a reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

/// Answers for the agent.
pub struct AgentView {
    /// The node's name.
    pub node: String,
    /// The server that is checked.
    pub server: String,
    /// Where proxies are sent.
    pub advertise: HostPort,
    /// What decides whether it wants a znode, the monitor's snapshots among it.
    pub candidate: Candidate,
    /// The registrar's snapshots.
    pub registration: watch::Receiver<RegistrationStatus>,
    /// Takes an operator's orders.
    pub operator: Arc<Operator>,
    /// The lease on the session.
    pub lease: watch::Receiver<Lease>,
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
    stepped_down: Option<SteppedDown>,
    candidacy: String,
    zookeeper_lease: Option<LeaseStatus>,
    #[serde(flatten)]
    fence: FenceStatus,
    #[serde(flatten)]
    health: HealthStatus,
    #[serde(flatten)]
    registration: RegistrationStatus,
}

impl AgentView {
    /// Whether the server is the primary at this moment; the error says why that cannot be said.
    fn leads(&self) -> Result<(), String> {
        let registration = self.registration.borrow();
        match self.candidate.standing() {
            Standing::Candidate | Standing::Delayed { .. } => {}
            _ => return Err(self.candidate.reason()),
        }
        if self.lease.borrow().standing(BootClock.now()) == lease::Standing::Expired {
            return Err("ZooKeeper has not answered for too long, and another may be elected".to_owned());
        }
        match (&registration.registered, &registration.zookeeper) {
            (None, _) => Err("it has no place in the election".to_owned()),
            (Some(_), Link::Up) if registration.leads => Ok(()),
            (Some(_), Link::Up) => Err("another is before it".to_owned()),
            (Some(_), _) => Err("ZooKeeper cannot be reached, and another may be elected".to_owned()),
        }
    }
}

impl AdminView for AgentView {
    fn ready(&self) -> Result<(), String> {
        if self.candidate.standing() != Standing::Candidate {
            return Err(self.candidate.reason());
        }
        let registration = self.registration.borrow();
        match (&registration.zookeeper, &registration.registered) {
            (_, Some(_)) => Ok(()),
            (Link::Up, None) => Err(registration
                .rival
                .clone()
                .unwrap_or_else(|| "the server is fit, and its znode is being created".to_owned())),
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
            stopping: self.candidate.stop.is_cancelled(),
            stepped_down: self.candidate.stepped_down.borrow().clone(),
            candidacy: self.candidate.standing().to_string(),
            zookeeper_lease: LeaseStatus::of(*self.lease.borrow()),
            fence: self.candidate.fence.borrow().clone(),
            health: self.candidate.health.borrow().clone(),
            registration: self.registration.borrow().clone(),
        };
        serde_json::to_value(status).unwrap_or_default()
    }

    fn probe(&self, probe: Probe) -> Option<Result<String, String>> {
        let fit = self.candidate.health.borrow().fit;
        Some(match (probe, fit, self.leads()) {
            (Probe::Fit, true, _) => Ok(format!("{} is fit to lead", self.node)),
            (_, false, _) => {
                Err(format!("{} is unfit: {}", self.node, self.candidate.health.borrow().reason))
            }
            (Probe::Primary, true, Ok(())) => Ok(format!("{} is the primary", self.node)),
            (Probe::Primary, true, Err(why)) => Err(format!("{} is not the primary: {why}", self.node)),
            (Probe::Replica, true, Err(why)) => {
                Ok(format!("{} is fit, and not the primary: {why}", self.node))
            }
            (Probe::Replica, true, Ok(())) => Err(format!("{} is the primary", self.node)),
        })
    }

    fn more_help(&self) -> &'static str {
        "/         200 while the server is fit, else 503 (as clustercheck)\n\
         /primary  200 while it is the primary, else 503\n\
         /replica  200 while it is fit and not the primary, else 503\n\
         POST /step-down, POST /rejoin: leave the election, come back; from this host only\n"
    }

    fn carry_out(&self, order: Order, by: String) -> Option<Answer<Ordered>> {
        let operator = Arc::clone(&self.operator);
        Some(Box::pin(async move { operator.carry_out(order, by).await }))
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
