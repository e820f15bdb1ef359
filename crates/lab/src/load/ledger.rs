//! Owns what clients remember: the rows that were acknowledged, what went wrong, and when rows were acknowledged.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What clients know at their end.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// The rows that are known to be written: client and sequence number.
    pub acknowledged: Vec<(usize, u64)>,
    /// Attempts to connect that failed, as the library says it.
    pub connection_errors: Vec<String>,
    /// Sessions that broke, as the library says it.
    pub broken_sessions: Vec<String>,
    /// Statements that were refused in a way that asks for a repetition (1213, 1205, 1047).
    pub refused: usize,
    /// Answers that were lost, after which the row was found to be written all the same.
    pub found: usize,
    /// Lost answers of which the old server would not say whether their statement had ended.
    pub unsettled: usize,
}

/// When rows were acknowledged, shared by the clients of one load.
#[derive(Debug)]
pub(super) struct Timeline {
    /// Rows of each client.
    pub(super) counts: Vec<AtomicU64>,
    acknowledged: Mutex<Vec<Instant>>,
    trouble: Mutex<Option<String>>,
}

impl Ledger {
    pub(super) fn add(&mut self, other: Self) {
        self.acknowledged.extend(other.acknowledged);
        self.connection_errors.extend(other.connection_errors);
        self.broken_sessions.extend(other.broken_sessions);
        self.refused += other.refused;
        self.found += other.found;
        self.unsettled += other.unsettled;
    }
}

impl Timeline {
    pub(super) fn new(clients: usize) -> Self {
        let counts = (0..clients).map(|_| AtomicU64::new(0)).collect();
        Self { counts, acknowledged: Mutex::default(), trouble: Mutex::default() }
    }

    pub(super) fn acknowledge(&self, client: usize) {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        if let Some(count) = self.counts.get(client) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Remembers what went wrong last, for when the clients do not get on.
    pub(super) fn trouble(&self, what: &str) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(what.to_owned());
    }

    pub(super) fn last_trouble(&self) -> String {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.clone().unwrap_or_else(|| "nothing".to_owned())
    }

    pub(super) fn longest_gap(&self, start: Instant) -> Duration {
        let times = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        let gaps = times.windows(2).filter(|pair| pair[1] >= start).map(|pair| pair[1] - pair[0]);
        gaps.max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_counts_from_the_last_row_before_the_start() {
        let timeline = Timeline::new(1);
        let base = Instant::now();
        let at = |millis| base + Duration::from_millis(millis);
        *timeline.acknowledged.lock().unwrap() = [0, 500, 510, 700, 720].map(at).to_vec();
        assert_eq!(timeline.longest_gap(at(505)), Duration::from_millis(190));
        assert_eq!(timeline.longest_gap(at(100)), Duration::from_millis(500));
    }
}
