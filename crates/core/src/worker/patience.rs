//! How long a worker waits for its first turn. Pure.
//!
//! Who does not want to wait for others still has to learn whether there are any: ZooKeeper is given a time of its own for
//! that, and so it is for the lease where the turn has come.

use std::time::Duration;

use crate::Epoch;

/// How long the first turn is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long others may be before it.
    pub others: Duration,
    /// How much longer ZooKeeper may take to answer.
    pub zookeeper: Duration,
}

impl Patience {
    /// After how long the waiting is over, as things stand. `placed`: it is known who is before it, if anybody is. `turn`: the
    /// turn has come.
    #[must_use]
    pub fn ends_after(self, placed: bool, turn: Option<Epoch>) -> Duration {
        match (placed, turn) {
            (true, None) => self.others,
            (false, _) | (true, Some(_)) => self.others.saturating_add(self.zookeeper),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_waited_for_as_long_as_was_asked_and_zookeeper_a_time_longer() {
        let [none, some] = [Duration::ZERO, Duration::from_secs(6)];
        let patience = Patience { others: none, zookeeper: some };
        assert_eq!(patience.ends_after(true, None), none, "others are before it");
        assert_eq!(patience.ends_after(false, None), some, "nothing is known yet");
        assert_eq!(patience.ends_after(true, Some(Epoch(7))), some, "the lease is still to come");
        let endless = Patience { others: Duration::MAX, zookeeper: some };
        assert_eq!(endless.ends_after(false, None), Duration::MAX);
    }
}
