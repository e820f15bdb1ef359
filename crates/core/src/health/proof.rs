//! How long a verdict may be acted upon. It rests on the last check that passed, and counts from when that was *sent*:
//! after a pause of the agent or of its machine nothing that was read before is acted upon.

use std::time::Duration;

/// What a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    asked: Duration,
    lasts: Duration,
}

impl Proof {
    /// A check that was sent at `asked` and speaks for `lasts`, on the clock of whoever asks for its freshness.
    #[must_use]
    pub fn new(asked: Duration, lasts: Duration) -> Self {
        Self { asked, lasts }
    }

    /// Whether the verdict may be acted upon. Where it may not, nothing new is done: what is there stays until the next
    /// check says whether it should.
    #[must_use]
    pub fn holds_at(self, now: Duration) -> bool {
        now.saturating_sub(self.asked) <= self.lasts
    }
}
