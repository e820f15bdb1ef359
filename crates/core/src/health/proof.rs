//! How long a verdict may be acted upon. It rests on the last check that passed, and counts from when that was *sent*:
//! after a pause of the agent or of its machine nothing that was read before is acted upon.

use std::time::Duration;

/// What a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    asked: Duration,
    lasts: Duration,
}

/// What may be done on a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// It holds.
    Fresh,
    /// It may have become untrue: nothing new is done on it, and the next check will say.
    Stale,
    /// It has been so for as long again: nobody checks any more, and it does not hold.
    Lapsed,
}

impl Proof {
    /// A check that was sent at `asked` and speaks for `lasts`, on the clock of whoever asks for its freshness.
    #[must_use]
    pub fn new(asked: Duration, lasts: Duration) -> Self {
        Self { asked, lasts }
    }

    /// How fresh it is.
    #[must_use]
    pub fn freshness(self, now: Duration) -> Freshness {
        let age = now.saturating_sub(self.asked);
        if age <= self.lasts {
            Freshness::Fresh
        } else if age <= self.lasts * 2 {
            Freshness::Stale
        } else {
            Freshness::Lapsed
        }
    }
}
