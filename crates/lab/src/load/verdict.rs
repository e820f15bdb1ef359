//! Owns the comparison of what clients were told with what the cluster has.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use mysql_async::prelude::Queryable;

use super::ledger::Ledger;
use crate::galera::Node;
use crate::report::Report;

/// What became of the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Acknowledged rows that are not there.
    pub lost: usize,
    /// Rows beyond the first of each kind.
    pub duplicates: usize,
}

impl Verdict {
    /// Reads the rows from `node`, with all that was committed before, and compares.
    ///
    /// # Errors
    /// The node does not run or does not answer.
    pub async fn read(node: &Node, ledger: &Ledger) -> Result<Self> {
        let mut conn = node.root().await?;
        conn.query_drop("SET SESSION wsrep_sync_wait = 1").await?;
        let rows = "SELECT client, seq, COUNT(*) FROM app.written GROUP BY client, seq";
        let rows: Vec<(usize, u64, usize)> = conn.query(rows).await?;
        conn.disconnect().await?;
        Ok(Self::compare(ledger, &rows))
    }

    /// Writes figures and failures of a load in which every row has to be there once and nobody failed to connect.
    pub fn report(&self, ledger: &Ledger, report: &mut Report) {
        report.count("acknowledged", ledger.acknowledged.len());
        report.none("lost", self.lost).because(|| "acknowledged rows are not there".to_owned());
        report.none("duplicates", self.duplicates);
        let refused = &ledger.connection_errors;
        report.none("connection_errors", refused.len()).because(|| format!("the first: {}", refused[0]));
        report.count("broken_sessions", ledger.broken_sessions.len());
        report.count("refused_statements", ledger.refused);
        report.count("found_after_lost_reply", ledger.found);
        report.check(ledger.unsettled == 0, || format!("{} lost sessions did not end", ledger.unsettled));
    }

    fn compare(ledger: &Ledger, rows: &[(usize, u64, usize)]) -> Self {
        let there: HashMap<_, _> =
            rows.iter().map(|(client, seq, count)| ((*client, *seq), *count)).collect();
        let acknowledged: HashSet<_> = ledger.acknowledged.iter().copied().collect();
        Self {
            lost: acknowledged.iter().filter(|row| !there.contains_key(row)).count(),
            duplicates: there.values().map(|count| count - 1).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_missing_and_rows_that_are_there_twice_are_counted() {
        let ledger = Ledger { acknowledged: vec![(0, 0), (0, 1), (1, 0)], ..Ledger::default() };
        let verdict = Verdict::compare(&ledger, &[(0, 0, 1), (1, 0, 3)]);
        assert_eq!(verdict, Verdict { lost: 1, duplicates: 2 });
    }
}
