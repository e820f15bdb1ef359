//! Owns what the customers of a bank report while they work: counts, what went wrong, and when transfers were
//! acknowledged.

use std::collections::BTreeMap;
use std::ops::Sub;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Counts, of all customers together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Transfers that were acknowledged.
    pub(crate) acknowledged: usize,
    /// Transfers whose acknowledgement was lost, and that were found in the journal.
    pub(crate) found: usize,
    /// Sessions that broke while a transaction was open.
    pub(crate) cut: usize,
    /// Sessions that broke between transactions.
    pub(crate) ended: usize,
    /// Of those: statements that capitana says were never sent.
    pub(crate) never_sent: usize,
    /// Of those: statements of which capitana says that nobody knows what became of them.
    pub(crate) unknown: usize,
    /// Attempts to connect that failed.
    pub(crate) connection_errors: usize,
    /// Reads on a new session that did not show the customer's last acknowledged transfer.
    pub(crate) stale_reads: usize,
    /// Transactions that the server rolled back with the demand to repeat them (1213, 1205, 1047).
    pub(crate) refused: usize,
}

/// What the customers of one bank share.
#[derive(Debug)]
pub(super) struct Record(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tally: Tally,
    acknowledged: Vec<Acknowledged>,
    transfers: Vec<u64>,
    broken: Vec<u64>,
    trouble: BTreeMap<String, usize>,
}

#[derive(Debug, Clone, Copy)]
struct Acknowledged {
    at: Instant,
    /// When its session was opened.
    opened: Instant,
}

/// When a session broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// Between two transactions.
    Between,
    /// In one.
    Within,
}

impl Sub for Tally {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            acknowledged: self.acknowledged - before.acknowledged,
            found: self.found - before.found,
            cut: self.cut - before.cut,
            ended: self.ended - before.ended,
            never_sent: self.never_sent - before.never_sent,
            unknown: self.unknown - before.unknown,
            connection_errors: self.connection_errors - before.connection_errors,
            stale_reads: self.stale_reads - before.stale_reads,
            refused: self.refused - before.refused,
        }
    }
}

impl Record {
    pub(super) fn new(customers: usize) -> Self {
        let (transfers, broken) = (vec![0; customers], vec![0; customers]);
        Self(Mutex::new(Inner { transfers, broken, ..Inner::default() }))
    }

    pub(super) fn acknowledge(&self, customer: usize, opened: Instant) {
        let mut inner = self.inner();
        inner.tally.acknowledged += 1;
        inner.acknowledged.push(Acknowledged { at: Instant::now(), opened });
        inner.transfers[customer] += 1;
    }

    pub(super) fn found(&self, customer: usize) {
        let mut inner = self.inner();
        inner.tally.found += 1;
        inner.transfers[customer] += 1;
    }

    pub(super) fn refused(&self) {
        self.inner().tally.refused += 1;
    }

    pub(super) fn stale_read(&self, customer: usize, seq: u64) {
        let mut inner = self.inner();
        inner.tally.stale_reads += 1;
        inner.note(format!("customer {customer} does not find its transfer {seq}, which was acknowledged"));
    }

    pub(super) fn broke(&self, customer: usize, when: Broken, error: &mysql_async::Error) {
        let mut inner = self.inner();
        let Inner { tally, broken, .. } = &mut *inner;
        broken[customer] += 1;
        match when {
            Broken::Between => tally.ended += 1,
            Broken::Within => tally.cut += 1,
        }
        if let mysql_async::Error::Server(server) = error
            && server.message.starts_with("capitana:")
        {
            match server.code {
                1053 => tally.never_sent += 1,
                _ => tally.unknown += 1,
            }
        }
        inner.note(format!("{when:?}: {error}"));
    }

    pub(super) fn not_connected(&self, error: &str) {
        let mut inner = self.inner();
        inner.tally.connection_errors += 1;
        inner.note(format!("connecting: {error}"));
    }

    pub(super) fn tally(&self) -> Tally {
        self.inner().tally
    }

    pub(super) fn transfers(&self) -> Vec<u64> {
        self.inner().transfers.clone()
    }

    pub(super) fn broken(&self) -> Vec<u64> {
        self.inner().broken.clone()
    }

    pub(super) fn trouble(&self) -> String {
        let inner = self.inner();
        let lines: Vec<_> = inner.trouble.iter().map(|(what, count)| format!("{count} x {what}")).collect();
        if lines.is_empty() { "nothing".to_owned() } else { lines.join("; ") }
    }

    pub(super) fn longest_gap(&self, start: Instant) -> Duration {
        let inner = self.inner();
        let times = inner.acknowledged.windows(2).map(|pair| (pair[0].at, pair[1].at));
        times.filter(|(_, to)| *to >= start).map(|(from, to)| to - from).max().unwrap_or_default()
    }

    pub(super) fn first_after(&self, fault: Instant) -> Option<Instant> {
        let inner = self.inner();
        inner.acknowledged.iter().find(|ack| ack.opened > fault).map(|ack| ack.at)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn note(&mut self, what: String) {
        *self.trouble.entry(what).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_counts_from_the_last_transfer_before_the_start_and_the_first_after_is_on_a_new_session()
     {
        let record = Record::new(1);
        let base = Instant::now();
        let at = |millis| base + Duration::from_millis(millis);
        let marks = [(0, 0), (500, 0), (510, 0), (700, 600), (720, 600)];
        let marks = marks.map(|(ack, opened)| Acknowledged { at: at(ack), opened: at(opened) });
        record.0.lock().unwrap().acknowledged = marks.to_vec();
        assert_eq!(record.longest_gap(at(505)), Duration::from_millis(190));
        assert_eq!(record.longest_gap(at(100)), Duration::from_millis(500));
        assert_eq!(record.first_after(at(505)), Some(at(700)));
        assert_eq!(record.first_after(at(650)), None);
    }
}
