//! The times that count when it is decided on a fence, all of them parts of one lease's session timeout.

use std::time::Duration;

use super::Round;
use crate::lease::Lease;

/// The times that count for one lease.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) others_count_from: Duration,
    pub(super) expires: Duration,
    /// A quarter of the session timeout: those asked at its half still count when the lease expires at its two thirds.
    round_lasts: Duration,
    /// A twelfth of it: whoever sees ZooKeeper again is seen to do so early in the third that is left for coming back.
    asks_anew_after: Duration,
    /// A third of the session timeout: well within the whole one that every session has when ZooKeeper is back.
    pub(super) comes_back_within: Duration,
}

impl Clock {
    /// The times of a lease that there is.
    pub(super) fn of(lease: Lease) -> Self {
        let timeout = lease.timeout().unwrap_or_default();
        Self {
            others_count_from: lease.others_count_from().unwrap_or_default(),
            expires: lease.expires().unwrap_or_default(),
            round_lasts: timeout / 4,
            asks_anew_after: timeout / 12,
            comes_back_within: timeout / 3,
        }
    }

    /// Answers count only if they were asked for so late that a ZooKeeper that has failed for everybody shows in
    /// them, and not long ago. So does it that nobody answers.
    pub(super) fn counts(&self, round: Round, now: Duration) -> bool {
        round.begun >= self.others_count_from && now < self.stale(round)
    }

    /// When to ask again. What somebody has seen need not be asked as often.
    pub(super) fn old(&self, round: Round) -> Duration {
        match round {
            Round { begun, .. } if begun < self.others_count_from => self.others_count_from,
            Round { begun, seeing: 0, .. } => begun + self.asks_anew_after,
            Round { .. } => self.stale(round),
        }
    }

    pub(super) fn stale(&self, round: Round) -> Duration {
        round.begun + self.round_lasts
    }
}
