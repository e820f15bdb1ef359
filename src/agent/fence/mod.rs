//! Fences the server while its agent is cut off from ZooKeeper, and lifts that: gathers what
//! `capitana_core::fence` decides on, and does what it says. One thing at a time is done on the server (`job`); the other agents
//! are asked meanwhile (`peers`).

mod blockers;
mod hand;
mod job;
mod marker;
mod peers;
mod status;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use capitana_core::fence::{Due, Event, Fence, Round, Seen, Server as InGalera, WhyNot};
use capitana_core::lease::{Lease, Standing, heartbeat};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::metrics::AgentMetrics;
use super::server::Server;
use super::status::{HealthStatus, LastCheck, RegistrationStatus};
use super::tuning::Tuning;
use crate::clock::BootClock;
use crate::config::{AgentConfig, FenceMode, GaleraMode};
use hand::{Hand, Pace};
use job::{Done, Job, Workshop};
use marker::{Marker, Run};
use peers::Peers;
pub use status::{FenceStatus, Fenced};

/// Time between two looks at the server while there is no fence: its connections are kept ready.
const LOOK: Duration = Duration::from_secs(5);

type Working = Pin<Box<dyn Future<Output = Done> + Send>>;
type Asking = Pin<Box<dyn Future<Output = Round> + Send>>;

/// What is followed to know when to fence.
#[derive(Debug, Clone)]
pub struct Followed {
    /// The lease on the session.
    pub lease: watch::Receiver<Lease>,
    /// The znode, and the other candidates.
    pub registration: watch::Receiver<RegistrationStatus>,
    /// What the server says of Galera.
    pub health: watch::Receiver<HealthStatus>,
    /// The settings that can change.
    pub tuning: watch::Receiver<Tuning>,
}

/// Fences one server.
pub struct Fencer {
    fence: Fence,
    mode: FenceMode,
    /// How the server is fenced at the moment, or would be.
    by: FenceMode,
    galera: GaleraMode,
    /// The session timeout that is asked for.
    asked_for: Duration,
    followed: Followed,
    peers: Peers,
    round: Option<Round>,
    /// None while a job has it.
    workshop: Option<Workshop>,
    /// The server's run when it was seen last. None: what an earlier run of the agent left behind is not known yet.
    run: Option<Run>,
    /// When something was done on the server last.
    worked_at: Option<Instant>,
    retry_at: Option<Instant>,
    status: watch::Sender<FenceStatus>,
    metrics: Arc<AgentMetrics>,
    left: Option<WhyNot>,
    /// Whether it has been said that the fence is being set.
    said: bool,
    clock: BootClock,
}

impl Fencer {
    /// A fencer for `server`, which sets no fence where `fence` is off, and publishes in `status`.
    #[must_use]
    pub fn new(
        config: &AgentConfig,
        server: Server,
        followed: Followed,
        status: watch::Sender<FenceStatus>,
        metrics: Arc<AgentMetrics>,
    ) -> Self {
        let (mode, timeout, clock) = (config.fence, config.common.zookeeper_session_timeout, BootClock);
        let (hand, pace) = (Hand::new(server, mode, config.user.clone()), pace(timeout));
        let marker = Marker::new(&config.state_directory, pace.grace);
        Self {
            fence: Fence::new(config.fence_quorum, clock.now(), timeout),
            mode,
            by: mode,
            galera: config.galera,
            asked_for: timeout,
            followed,
            peers: Peers::default(),
            round: None,
            workshop: Some(Workshop::new(hand, marker, pace)),
            run: None,
            worked_at: None,
            retry_at: None,
            status,
            metrics,
            left: None,
            said: false,
            clock,
        }
    }

    /// Fences and lifts until the task is dropped.
    pub async fn run(mut self) {
        if let Some(workshop) = &self.workshop
            && !workshop.has_work().await
        {
            return std::future::pending().await;
        }
        let (mut working, mut asking): (Option<Working>, Option<Asking>) = (None, None);
        loop {
            self.fence.ask_others(self.followed.tuning.borrow_and_update().fence_quorum);
            self.peers.see(&self.followed.registration.borrow_and_update().others.admins);
            let (seen, now) = (self.seen(), self.clock.now());
            if working.is_none() && self.retry_at.is_none() {
                let due = if self.may_fence() { self.fence.due(&seen, now) } else { Due::Nothing };
                working = self.begin(due);
            }
            if asking.is_none() && self.may_fence() && self.fence.asks(&seen, now) {
                asking = Some(Box::pin(self.peers.ask(self.part(8))));
            }
            self.publish();
            if self.has_nothing_left() {
                return std::future::pending().await;
            }
            let pulse = self.pulse(&seen, now);
            tokio::select! {
                done = ready(&mut working) => { working = None; self.on(done); }
                round = ready(&mut asking) => { asking = None; self.round = Some(round); }
                Ok(()) = self.followed.lease.changed() => {}
                Ok(()) = self.followed.registration.changed() => {}
                Ok(()) = self.followed.tuning.changed() => {}
                () = sleep(pulse) => self.retry_at = self.retry_at.filter(|at| *at > Instant::now()),
            }
        }
    }

    /// Where no fence is to be set, one that an earlier run has set is lifted all the same.
    fn may_fence(&self) -> bool {
        self.mode != FenceMode::Off || self.fence.why().is_some()
    }

    fn has_nothing_left(&self) -> bool {
        self.run.is_some() && !self.may_fence()
    }

    fn seen(&self) -> Seen {
        let registration = self.followed.registration.borrow();
        Seen {
            lease: *self.followed.lease.borrow(),
            has_znode: registration.may_lead,
            others: registration.others.count,
            round: self.round,
            server: self.galera(),
        }
    }

    /// A server that has not been checked for long says nothing.
    fn galera(&self) -> InGalera {
        let health = self.followed.health.borrow();
        let pace = self.followed.tuning.borrow().pace();
        let lasts = (pace.interval + pace.limit) * 3 / 2;
        let fresh = |check: &&LastCheck| self.clock.now().saturating_sub(check.ended) <= lasts;
        let reading = health.last_check.as_ref().filter(fresh).and_then(|check| check.reading.as_ref());
        let is = |value: &Option<String>, wanted: &str| value.as_deref() == Some(wanted);
        match (self.galera, reading) {
            (GaleraMode::Off, _) => InGalera::Plain,
            (GaleraMode::Auto, Some(reading)) if !reading.is_galera() => InGalera::Plain,
            (_, Some(reading)) if is(&reading.wsrep_cluster_status, "Primary") => InGalera::Primary,
            (_, _) => InGalera::NotPrimary,
        }
    }

    /// The clock of timers stops while the machine is suspended: whoever waits for long looks at the other one now and then.
    fn pulse(&self, seen: &Seen, now: Duration) -> Duration {
        let next = self.fence.look_again(seen, now).map_or(LOOK, |at| at.saturating_sub(now));
        let retry = self.retry_at.map_or(LOOK, |at| at.saturating_duration_since(Instant::now()));
        next.min(retry).min(heartbeat(self.timeout()))
    }

    fn begin(&mut self, due: Due) -> Option<Working> {
        let said = std::mem::replace(&mut self.said, matches!(due, Due::Set { .. }));
        let job = match due {
            Due::Set { why, again } => {
                if !said {
                    tracing::warn!(%why, "fencing the server");
                }
                Job::Set { again: self.run.clone().filter(|_| again) }
            }
            Due::Lift => Job::Lift { of: self.run.clone() },
            Due::Leave(why_not) => {
                self.leave(why_not);
                return None;
            }
            Due::Nothing if self.may_look() => Job::Look,
            Due::Nothing => return None,
        };
        self.worked_at = Some(Instant::now());
        let mut workshop = self.workshop.take()?;
        workshop.keep(pace(self.timeout()));
        self.publish();
        Some(Box::pin(workshop.work(job)))
    }

    /// A look that is under way must not hold up the fence: none is begun when that may be due soon. A server that is fenced
    /// is looked at often: when it is restarted it takes writes.
    fn may_look(&self) -> bool {
        let every = if self.fence.is_set() { self.part(12) } else { LOOK };
        let held = self.followed.lease.borrow().standing(self.clock.now()) <= Standing::Held;
        self.worked_at.is_none_or(|at| at.elapsed() >= every)
            && (held || self.fence.is_set() || !self.may_fence())
    }

    fn leave(&mut self, why_not: WhyNot) {
        if self.left.replace(why_not) != Some(why_not) {
            tracing::warn!(%why_not, "cut off from ZooKeeper, and the server is not fenced");
        }
    }

    fn on(&mut self, mut done: Done) {
        done.event = self.vanished(&done).or(done.event);
        match &done.event {
            Some(Event::Set) => {
                self.metrics.fences.inc();
                let age = self.followed.lease.borrow().age(self.clock.now());
                let took = done.took.as_millis();
                tracing::warn!(
                    lease_age_ms = age.map(|age| age.as_millis()),
                    took_ms = took,
                    "the server is fenced"
                );
            }
            Some(Event::FoundSet) => {
                tracing::warn!("the server takes no writes already: that is left to whoever has set it");
            }
            Some(Event::Lifted) => {
                self.left = None;
                tracing::info!("back in touch with ZooKeeper: the fence is lifted");
            }
            Some(Event::Remembered) => {
                tracing::warn!("the server was fenced by an earlier run of this agent");
            }
            Some(Event::NotBegun | Event::SetFailed | Event::LiftFailed) => {
                self.metrics.fence_failures.inc();
                self.retry_at = Some(Instant::now() + self.part(12));
            }
            Some(Event::Vanished) => tracing::warn!("the server was restarted, which has lifted the fence"),
            None => {}
        }
        if let Some(event) = done.event {
            self.fence.on(event);
        }
        self.run = done.run.or(self.run.take());
        self.by = done.workshop.fences_by();
        self.workshop = Some(done.workshop);
    }

    /// A fence ends with the run of the server in which it was set. Whoever sets or lifts one sees to that.
    fn vanished(&self, done: &Done) -> Option<Event> {
        let before = self.run.as_ref().filter(|_| done.event.is_none() && self.fence.why().is_some())?;
        done.run.as_ref().filter(|run| !before.is(run)).map(|_| Event::Vanished)
    }

    fn publish(&self) {
        self.metrics.fenced.set(i64::from(self.fence.is_set()));
        let (why, by, set) = (self.fence.why(), self.by, self.fence.is_set());
        self.status.send_if_modified(|status| status.update(why, by, set));
    }

    fn part(&self, of: u32) -> Duration {
        self.timeout() / of
    }

    /// The session timeout, of which every limit is a part: ZooKeeper may have granted another than was asked for.
    fn timeout(&self) -> Duration {
        self.followed.lease.borrow().timeout().unwrap_or(self.asked_for)
    }
}

/// The fence must be whole within the third of the session timeout that is left: two times the grace, and what the server needs.
fn pace(timeout: Duration) -> Pace {
    Pace { grace: timeout / 24, limit: timeout / 6 }
}

async fn ready<T>(work: &mut Option<Pin<Box<dyn Future<Output = T> + Send>>>) -> T {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}
