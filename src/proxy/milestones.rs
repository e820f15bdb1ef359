//! Where every part of the proxy tells what it has done in a failover, and from where the record is read. It owns the
//! lock around the pure `Timeline`; after the first time of a step, telling it again costs one atomic load.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use capitana_core::failover::{BarrierEnd, EndedBy, Failover, Moment, Step};
use capitana_core::timeline::Timeline;
use capitana_core::{EndReason, Epoch, Route};
use tokio::sync::watch;
use tokio::time::{Instant as Deadline, timeout_at};

use super::durations::Durations;

/// How long the line about a failover waits for the first session once everything else is done: clients that were
/// cut off need a moment to come back, and there may be none.
const FIRST_SESSION: Duration = Duration::from_secs(2);

/// The recorder.
#[derive(Debug)]
pub struct Milestones {
    started: Instant,
    metrics: Durations,
    timeline: Mutex<Timeline>,
    /// The epoch that is followed; the largest number while there is none to follow.
    followed: AtomicI64,
    /// The newest epoch in which each step was told.
    dialled: AtomicI64,
    greeted: AtomicI64,
    opened: AtomicI64,
    /// Rings after each step of the control path, and at the first session.
    bell: watch::Sender<()>,
}

impl Milestones {
    /// Nothing has happened yet; `started` is the zero of the clock.
    #[must_use]
    pub fn new(started: Instant, metrics: Durations) -> Self {
        Self {
            started,
            metrics,
            timeline: Mutex::default(),
            followed: AtomicI64::new(0),
            dialled: AtomicI64::new(0),
            greeted: AtomicI64::new(0),
            opened: AtomicI64::new(0),
            bell: watch::Sender::new(()),
        }
    }

    /// The end of the followed epoch was seen.
    pub fn lost(&self, by: EndedBy) {
        self.followed.store(i64::MAX, Relaxed);
        self.timeline().lost(by, self.moment());
    }

    /// A new primary was elected.
    pub fn elected(&self, route: &Route) {
        self.timeline().elected(route.clone(), self.moment());
        self.followed.store(route.epoch.0, Relaxed);
        self.bell.send_replace(());
    }

    /// The barrier of this epoch begins.
    pub fn barrier_begun(&self, epoch: Epoch) {
        self.timeline().reached(epoch, Step::BarrierBegun, self.started.elapsed());
    }

    /// The barrier of this epoch has ended.
    pub fn barrier_ended(&self, epoch: Epoch, end: BarrierEnd) {
        self.timeline().barrier_ended(epoch, end, self.started.elapsed());
    }

    /// New sessions go to the primary of this epoch from now on; `waiting` clients waited for that.
    pub fn swapped(&self, epoch: Epoch, waiting: i64) {
        self.timeline().swapped(epoch, u64::try_from(waiting).unwrap_or_default(), self.moment());
        self.bell.send_replace(());
    }

    /// A connection to the primary of this epoch is attempted.
    pub fn dialling(&self, epoch: Epoch) {
        self.first(&self.dialled, epoch, Step::FirstDial);
    }

    /// The primary of this epoch has greeted.
    pub fn greeted(&self, epoch: Epoch) {
        if self.first(&self.greeted, epoch, Step::FirstByte) {
            let duration = self.timeline().failover(epoch).and_then(Failover::duration);
            duration.inspect(|duration| self.metrics.failover.observe(duration.as_secs_f64()));
        }
    }

    /// A session with the primary of this epoch is open.
    pub fn opened(&self, epoch: Epoch) {
        if self.first(&self.opened, epoch, Step::FirstSession) {
            self.bell.send_replace(());
        }
    }

    /// A session of this epoch has ended.
    pub fn ended(&self, epoch: Epoch, reason: EndReason) {
        let of_server = matches!(reason, EndReason::UpstreamClosed | EndReason::UpstreamError);
        if of_server || epoch.0 < self.followed.load(Relaxed) {
            self.timeline().session_ended(epoch, reason, self.started.elapsed());
        }
    }

    /// No session is left that is older than `epoch`.
    pub fn drained(&self, epoch: Epoch) {
        let mut timeline = self.timeline();
        timeline.drained(epoch, self.started.elapsed());
        if let Some(steps) = timeline.failover(epoch).map(|failover| failover.steps_ms) {
            let (from, to) = (steps.elected.unwrap_or_default(), steps.last_old_session_gone);
            to.inspect(|to| self.metrics.drain.observe(to.saturating_sub(from).as_secs_f64()));
        }
        drop(timeline);
        self.bell.send_replace(());
    }

    /// The last failovers, oldest first.
    #[must_use]
    pub fn failovers(&self) -> Vec<Failover> {
        self.timeline().failovers().cloned().collect()
    }

    /// The failover to this epoch, if it is remembered.
    #[must_use]
    pub fn failover(&self, epoch: Epoch) -> Option<Failover> {
        self.timeline().failover(epoch).cloned()
    }

    /// Says each failover in one line when it is over, until the proxy stops.
    pub async fn tell(&self) {
        let mut bell = self.bell.subscribe();
        let mut told = Epoch(0);
        loop {
            let over = |failover: &&Failover| failover.to.epoch > told && failover.is_over();
            let next = self.timeline().failovers().find(over).map(|failover| failover.to.epoch);
            match next {
                Some(epoch) => {
                    self.first_session(epoch, &mut bell).await;
                    self.failover(epoch).inspect(log);
                    told = epoch;
                }
                None if bell.changed().await.is_err() => return,
                None => {}
            }
        }
    }

    async fn first_session(&self, epoch: Epoch, bell: &mut watch::Receiver<()>) {
        let deadline = Deadline::now() + FIRST_SESSION;
        let is_missing = |f: Failover| !f.superseded && f.steps_ms.first_session.is_none();
        while self.failover(epoch).is_some_and(is_missing) {
            if timeout_at(deadline, bell.changed()).await.is_err() {
                return;
            }
        }
    }

    /// Whether this was the first time in this epoch.
    fn first(&self, told: &AtomicI64, epoch: Epoch, step: Step) -> bool {
        let is_first = told.load(Relaxed) < epoch.0 && told.fetch_max(epoch.0, Relaxed) < epoch.0;
        if is_first {
            self.timeline().reached(epoch, step, self.started.elapsed());
        }
        is_first
    }

    /// What a thread that panicked may have left behind is a record at worst incomplete.
    fn timeline(&self) -> MutexGuard<'_, Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moment(&self) -> Moment {
        let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        Moment { clock: self.started.elapsed(), unix_ms }
    }
}

fn log(failover: &Failover) {
    let ms = |step: Option<Duration>| step.map(|step| step.as_micros() as f64 / 1000.0);
    let steps = &failover.steps_ms;
    tracing::info!(
        from = %failover.from.upstream,
        to = %failover.to.upstream,
        epoch = failover.to.epoch.0,
        ended_by = ?failover.ended_by,
        barrier = ?failover.barrier,
        superseded = failover.superseded,
        waiting = failover.waiting,
        elected_ms = ms(steps.elected),
        barrier_begun_ms = ms(steps.barrier_begun),
        barrier_ended_ms = ms(steps.barrier_ended),
        swapped_ms = ms(steps.swapped),
        first_dial_ms = ms(steps.first_dial),
        first_byte_ms = ms(steps.first_byte),
        first_session_ms = ms(steps.first_session),
        last_old_session_gone_ms = ms(steps.last_old_session_gone),
        sessions_ended = ?failover.sessions_ended,
        "failover is over"
    );
}
