//! When a client may be let in on a new primary, so that it reads every write that was acknowledged to it on the old
//! one. Pure: the causal reads are made, and the clients kept waiting, elsewhere.
//!
//! A causal read that begins at time `t` and passes shows that the new primary has applied every write acknowledged
//! before `t`. It need not be the client's own:
//!
//! - A client that arrives at `a` had every acknowledgement before `a`, so a read that began at or after `a` covers it.
//! - No session of an old epoch acknowledges anything once the last of them has ended, at `d`. So a read that began at
//!   or after `d` covers everybody, now and later.
//!
//! Hence a client may be let in once a read has passed that began at or after `min(a, d)`.

use std::time::Duration;

use crate::Epoch;

/// The earliest beginning of a causal read that covers a client that arrived at `arrived`. `drained`: when the last
/// session of an old epoch had ended; none while there are some.
#[must_use]
pub fn needed_since(arrived: Duration, drained: Option<Duration>) -> Duration {
    drained.map_or(arrived, |drained| drained.min(arrived))
}

/// The door to one primary at a time. Times are those of the caller's monotonic clock.
#[derive(Debug, Default)]
pub struct Gate {
    epoch: Option<Epoch>,
    /// The latest beginning of a causal read that passed.
    passed: Option<Duration>,
    /// When the last session of an older epoch had ended.
    drained: Option<Duration>,
    /// Nothing is asked of this primary (any more).
    waived: bool,
}

impl Gate {
    /// A newer primary was elected: the gate is shut, and what was known of the one before is forgotten.
    pub fn elected(&mut self, epoch: Epoch) {
        if Some(epoch) > self.epoch {
            *self = Self { epoch: Some(epoch), ..Self::default() };
        }
    }

    /// A causal read on this epoch's primary, begun at `begun`, has passed.
    pub fn passed(&mut self, epoch: Epoch, begun: Duration) {
        if self.epoch == Some(epoch) {
            self.passed = self.passed.max(Some(begun));
        }
    }

    /// Clients are let in without causal reads from now on.
    pub fn waive(&mut self, epoch: Epoch) {
        self.waived |= self.epoch == Some(epoch);
    }

    /// There were no sessions older than `epoch` at `at`, and there cannot be any again. The first such time counts.
    pub fn drained(&mut self, epoch: Epoch, at: Duration) {
        if self.epoch == Some(epoch) {
            self.drained = self.drained.or(Some(at));
        }
    }

    /// Whether the primary of this epoch may be opened.
    #[must_use]
    pub fn is_open(&self, epoch: Epoch) -> bool {
        self.epoch == Some(epoch) && (self.waived || self.passed.is_some())
    }

    /// Whether a client that arrived at `arrived` may be let in on this epoch's primary.
    #[must_use]
    pub fn admits(&self, epoch: Epoch, arrived: Duration) -> bool {
        let covered = self.passed.is_some_and(|begun| begun >= needed_since(arrived, self.drained));
        self.epoch == Some(epoch) && (self.waived || covered)
    }

    /// Whether everybody may be let in, now and later: no further causal read is needed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let covers = |drained| self.passed.is_some_and(|begun| begun >= drained);
        self.waived || self.drained.is_some_and(covers)
    }

    /// The epoch whose gate this is.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }
}
