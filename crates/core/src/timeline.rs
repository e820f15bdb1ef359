//! Keeps the record of the last failovers, as it is told of their steps and of the sessions that end. Pure; it owns what
//! is remembered, and which failover a step or a session belongs to.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::failover::{BarrierEnd, EndedBy, Failover, Moment, Step, Steps};
use crate::{EndReason, Epoch, Route};

/// Failovers that are remembered.
pub const REMEMBERED: usize = 32;

/// A server's death ends its sessions before the election says so: by milliseconds if its agent lives, by
/// ZooKeeper's session timeout if not. Sessions that a server ended this long before count as ended by the failover.
pub const LOOK_BACK: Duration = Duration::from_secs(10);

/// The end of an epoch that has no successor yet.
#[derive(Debug)]
struct Loss {
    seen: Moment,
    by: EndedBy,
    sessions_ended: BTreeMap<&'static str, u64>,
}

/// Keeps the record.
#[derive(Debug, Default)]
pub struct Timeline {
    failovers: VecDeque<Failover>,
    followed: Option<Route>,
    loss: Option<Loss>,
    /// Sessions ended by their server, by the second.
    recent: VecDeque<(u64, BTreeMap<&'static str, u64>)>,
}

impl Timeline {
    /// The end of the followed epoch was seen.
    pub fn lost(&mut self, by: EndedBy, seen: Moment) {
        if self.followed.is_none() || self.loss.is_some() {
            return;
        }
        let first = seen.clock.saturating_sub(LOOK_BACK).as_secs();
        let mut sessions_ended = BTreeMap::new();
        for (_, ended) in self.recent.drain(..).filter(|(second, _)| *second >= first) {
            for (reason, count) in ended {
                *sessions_ended.entry(reason).or_default() += count;
            }
        }
        self.loss = Some(Loss { seen, by, sessions_ended });
    }

    /// A new primary was elected. The first one is no failover. Call `lost` first, with the same moment if both were
    /// seen at once.
    pub fn elected(&mut self, to: Route, at: Moment) {
        let from = self.followed.replace(to.clone());
        let (Some(from), Some(loss)) = (from, self.loss.take()) else { return };
        if let Some(last) = self.failovers.back_mut() {
            last.superseded |= last.steps_ms.swapped.is_none();
        }
        let elected = at.clock.saturating_sub(loss.seen.clock);
        self.failovers.push_back(Failover {
            detected_at_ms: loss.seen.unix_ms,
            at_ms: at.unix_ms,
            from,
            to,
            ended_by: loss.by,
            without_primary_ms: elected.as_millis() as u64,
            barrier: None,
            superseded: false,
            steps_ms: Steps { elected: Some(elected), ..Steps::default() },
            waiting: 0,
            sessions_ended: loss.sessions_ended,
            detected: loss.seen.clock,
        });
        if self.failovers.len() > REMEMBERED {
            self.failovers.pop_front();
        }
    }

    /// The barrier of this epoch has ended.
    pub fn barrier_ended(&mut self, epoch: Epoch, end: BarrierEnd, now: Duration) {
        if let Some(failover) = self.find(epoch) {
            let after = failover.since_detection(now);
            failover.steps_ms.barrier_ended.get_or_insert(after);
            failover.barrier.get_or_insert(end);
        }
    }

    /// New sessions go to the primary of this epoch from now on; `waiting` clients waited for that.
    pub fn swapped(&mut self, epoch: Epoch, waiting: u64, at: Moment) {
        if let Some(failover) = self.find(epoch).filter(|failover| failover.steps_ms.swapped.is_none()) {
            let after = failover.since_detection(at.clock);
            failover.steps_ms.swapped = Some(after);
            failover.without_primary_ms = after.as_millis() as u64;
            failover.at_ms = at.unix_ms;
            failover.waiting = waiting;
        }
    }

    /// A step was done in this epoch; the first time counts.
    pub fn reached(&mut self, epoch: Epoch, step: Step, now: Duration) {
        if let Some(failover) = self.find(epoch) {
            failover.reach(step, now);
        }
    }

    /// No session is left that is older than `epoch`.
    pub fn drained(&mut self, epoch: Epoch, now: Duration) {
        for failover in self.failovers.iter_mut().filter(|failover| failover.to.epoch <= epoch) {
            failover.reach(Step::LastOldSessionGone, now);
        }
    }

    /// A session of this epoch has ended.
    pub fn session_ended(&mut self, epoch: Epoch, reason: EndReason, now: Duration) {
        let followed = self.followed.as_ref().map(|route| route.epoch);
        let of_server = matches!(reason, EndReason::UpstreamClosed | EndReason::UpstreamError);
        let counts = match (&mut self.loss, self.failovers.back_mut()) {
            (_, Some(last)) if epoch < last.to.epoch => &mut last.sessions_ended,
            (Some(loss), _) => &mut loss.sessions_ended,
            (None, _) if of_server && Some(epoch) == followed => self.this_second(now),
            _ => return,
        };
        *counts.entry(reason.label()).or_default() += 1;
    }

    /// The last failovers, oldest first.
    pub fn failovers(&self) -> impl Iterator<Item = &Failover> {
        self.failovers.iter()
    }

    /// The failover to this epoch, if it is remembered.
    #[must_use]
    pub fn failover(&self, epoch: Epoch) -> Option<&Failover> {
        self.failovers.iter().rev().find(|failover| failover.to.epoch == epoch)
    }

    fn find(&mut self, epoch: Epoch) -> Option<&mut Failover> {
        self.failovers.iter_mut().rev().find(|failover| failover.to.epoch == epoch)
    }

    fn this_second(&mut self, now: Duration) -> &mut BTreeMap<&'static str, u64> {
        let second = now.as_secs();
        if self.recent.back().is_none_or(|(last, _)| *last != second) {
            self.recent.retain(|(then, _)| then + LOOK_BACK.as_secs() >= second);
            self.recent.push_back((second, BTreeMap::new()));
        }
        let last = self.recent.len() - 1;
        &mut self.recent[last].1
    }
}
