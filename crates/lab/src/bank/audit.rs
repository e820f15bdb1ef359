//! Owns the comparison of what customers were told with what each node of the cluster has.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use mysql_async::prelude::Queryable;

use super::{ACCOUNTS, BALANCE};
use crate::galera::Node;
use crate::report::Report;

/// An entry of the journal: customer, number, payer, payee, amount.
type Entry = (usize, u64, u64, u64, i64);

/// What is wrong on one node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Findings {
    /// Transfers that the customers know to be carried out and that are not in the journal.
    lost: usize,
    /// Entries of the journal beyond what the customers know of.
    surplus: usize,
    /// Accounts whose balance is not what the journal says: a transfer was carried out by half, or twice.
    wrong_balances: usize,
    /// How far the sum of all accounts is from what it was in the beginning.
    sum_off: i64,
}

/// Compares all nodes with what each customer knows to be carried out: its transfers below that number.
///
/// # Errors
/// A node does not run or does not answer.
pub(crate) async fn audit(nodes: &[Node], transfers: &[u64], report: &mut Report) -> Result<()> {
    let (mut worst, mut findings) = (Findings::default(), Vec::new());
    for node in nodes {
        let (entries, accounts) = read(node).await?;
        let found = compare(transfers, &entries, &accounts);
        findings.push(format!("{}: {found:?}", node.name()));
        worst.lost = worst.lost.max(found.lost);
        worst.surplus = worst.surplus.max(found.surplus);
        worst.wrong_balances = worst.wrong_balances.max(found.wrong_balances);
        worst.sum_off = worst.sum_off.max(found.sum_off.abs());
    }
    let by_node = || findings.join("; ");
    report.none("lost", worst.lost).because(by_node);
    report.none("duplicated", worst.surplus).because(by_node);
    report.none("wrong_balances", worst.wrong_balances).because(by_node);
    report.none("sum_off", usize::try_from(worst.sum_off).unwrap_or(usize::MAX)).because(by_node);
    Ok(())
}

async fn read(node: &Node) -> Result<(Vec<Entry>, Vec<(u64, i64)>)> {
    let mut conn = node.root().await?;
    conn.query_drop("SET SESSION wsrep_sync_wait = 1").await?;
    let entries = conn.query("SELECT client, seq, payer, payee, amount FROM app.journal").await?;
    let accounts = conn.query("SELECT id, balance FROM app.account").await?;
    conn.disconnect().await?;
    Ok((entries, accounts))
}

fn compare(transfers: &[u64], entries: &[Entry], accounts: &[(u64, i64)]) -> Findings {
    let there: HashSet<_> = entries.iter().map(|(client, seq, ..)| (*client, *seq)).collect();
    let known = |client: usize| transfers.get(client).copied().unwrap_or_default();
    let all = transfers.iter().enumerate().flat_map(|(client, count)| (0..*count).map(move |s| (client, s)));
    let mut balances: HashMap<u64, i64> = (0..ACCOUNTS).map(|id| (id, BALANCE)).collect();
    for (_, _, payer, payee, amount) in entries {
        *balances.entry(*payer).or_default() -= amount;
        *balances.entry(*payee).or_default() += amount;
    }
    let wrong = accounts.iter().filter(|(id, balance)| balances.remove(id) != Some(*balance)).count();
    let begun = BALANCE * i64::try_from(ACCOUNTS).unwrap_or_default();
    Findings {
        lost: all.filter(|transfer| !there.contains(transfer)).count(),
        surplus: entries.iter().filter(|(client, seq, ..)| *seq >= known(*client)).count(),
        wrong_balances: wrong + balances.len(),
        sum_off: accounts.iter().map(|(_, balance)| balance).sum::<i64>() - begun,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(changes: &[(usize, i64)]) -> Vec<(u64, i64)> {
        let mut accounts: Vec<_> = (0..ACCOUNTS).map(|id| (id, BALANCE)).collect();
        for (id, by) in changes {
            accounts[*id].1 += by;
        }
        accounts
    }

    #[test]
    fn a_journal_and_accounts_that_agree_with_the_customers_are_without_findings() {
        let entries = [(0, 0, 3, 4, 10), (1, 0, 4, 5, 1)];
        let accounts = accounts(&[(3, -10), (4, 9), (5, 1)]);
        assert_eq!(compare(&[1, 1], &entries, &accounts), Findings::default());
    }

    #[test]
    fn a_lost_transfer_a_surplus_one_and_one_carried_out_twice_are_found() {
        let entries = [(0, 0, 3, 4, 10), (0, 7, 8, 9, 1)];
        let accounts = accounts(&[(3, -20), (4, 20), (8, -1), (9, 1)]);
        let found = Findings { lost: 1, surplus: 1, wrong_balances: 2, sum_off: 0 };
        assert_eq!(compare(&[2], &entries, &accounts), found);
    }

    #[test]
    fn half_a_transfer_is_found_in_the_sum() {
        let found = compare(&[1], &[(0, 0, 3, 4, 10)], &accounts(&[(3, -10)]));
        assert_eq!(found, Findings { wrong_balances: 1, sum_off: -10, ..Findings::default() });
    }
}
