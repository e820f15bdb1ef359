//! One failover: when each of its steps was done, and what became of the sessions. Pure: the `timeline` keeps the
//! records and is told of the steps.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::Route;

/// A moment: by the monotonic clock, by which steps are measured, and by the calendar, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Since some fixed time.
    pub clock: Duration,
    /// Milliseconds since 1970 UTC.
    pub unix_ms: u64,
}

/// What ended the old epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// Its znode is gone.
    ZnodeGone,
    /// Its znode is there, but says nothing that can be followed.
    ZnodeUnusable,
}

/// How the barrier of a new primary ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BarrierEnd {
    /// A causal read has passed.
    Passed,
    /// There was none to make: no account for it, or no Galera.
    Skipped,
    /// It did not pass in time, and the primary was opened all the same.
    TimedOut,
}

/// A step that is recorded when it is done for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The barrier begins.
    BarrierBegun,
    /// The first connection to the new primary is attempted.
    FirstDial,
    /// The first byte has come from it: its greeting.
    FirstByte,
    /// The first session with it is open.
    FirstSession,
    /// The last session of older epochs has ended.
    LastOldSessionGone,
}

/// When each step was done, in milliseconds since the end of the old epoch was seen. None: not yet, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Steps {
    /// There was a new primary.
    #[serde(serialize_with = "millis")]
    pub elected: Option<Duration>,
    /// Its barrier began.
    #[serde(serialize_with = "millis")]
    pub barrier_begun: Option<Duration>,
    /// Its barrier ended.
    #[serde(serialize_with = "millis")]
    pub barrier_ended: Option<Duration>,
    /// New sessions went to it.
    #[serde(serialize_with = "millis")]
    pub swapped: Option<Duration>,
    /// The first connection to it was attempted.
    #[serde(serialize_with = "millis")]
    pub first_dial: Option<Duration>,
    /// The first byte came from it: its greeting.
    #[serde(serialize_with = "millis")]
    pub first_byte: Option<Duration>,
    /// The first session with it was open.
    #[serde(serialize_with = "millis")]
    pub first_session: Option<Duration>,
    /// The last session of older epochs had ended.
    #[serde(serialize_with = "millis")]
    pub last_old_session_gone: Option<Duration>,
}

/// One change of the primary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failover {
    /// When the end of the old epoch was seen, in milliseconds since 1970 UTC.
    pub detected_at_ms: u64,
    /// When new sessions went to the new primary; before that, when it was elected. Milliseconds since 1970 UTC.
    pub at_ms: u64,
    /// The primary before.
    pub from: Route,
    /// The primary since.
    pub to: Route,
    /// What ended the old epoch.
    pub ended_by: EndedBy,
    /// How long new sessions could go nowhere, in milliseconds.
    pub without_primary_ms: u64,
    /// How its barrier ended.
    pub barrier: Option<BarrierEnd>,
    /// Whether it was replaced before new sessions went to it.
    pub superseded: bool,
    /// When each step was done.
    pub steps_ms: Steps,
    /// Clients that waited at the swap.
    pub waiting: u64,
    /// Sessions of older epochs that ended, by reason.
    pub sessions_ended: BTreeMap<&'static str, u64>,
    /// When the end of the old epoch was seen, by the monotonic clock.
    #[serde(skip)]
    pub detected: Duration,
}

impl Failover {
    /// Time from the end of the old primary to the first byte of the new one. If nobody waited at the swap, it is not
    /// counted how long nobody came.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        let Steps { swapped: Some(swapped), first_dial, first_byte: Some(byte), .. } = self.steps_ms else {
            return None;
        };
        let idle = match first_dial {
            Some(dial) if self.waiting == 0 => dial.saturating_sub(swapped),
            _ => Duration::ZERO,
        };
        Some(byte.saturating_sub(idle))
    }

    /// Whether the old primary is left for good and the new one open, or replaced itself.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.steps_ms.last_old_session_gone.is_some() && (self.superseded || self.steps_ms.swapped.is_some())
    }

    /// Notes when a step was done; the first time counts.
    pub fn reach(&mut self, step: Step, now: Duration) {
        let after = self.since_detection(now);
        let steps = &mut self.steps_ms;
        let place = match step {
            Step::BarrierBegun => &mut steps.barrier_begun,
            Step::FirstDial => &mut steps.first_dial,
            Step::FirstByte => &mut steps.first_byte,
            Step::FirstSession => &mut steps.first_session,
            Step::LastOldSessionGone => &mut steps.last_old_session_gone,
        };
        place.get_or_insert(after);
    }

    /// How long after the end of the old epoch was seen.
    #[must_use]
    pub fn since_detection(&self, now: Duration) -> Duration {
        now.saturating_sub(self.detected)
    }
}

/// Milliseconds with three decimals.
fn millis<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_micros() as f64 / 1000.0).serialize(serializer)
}
