//! Whose turn it is. Candidates stand in line in the order in which their znodes were created (`czxid`), and the first
//! `count` of them run. Reading the line and leaving the watches is its caller's.
//!
//! A candidate has to wait for as long as `count` znodes before it exist, whichever. So it watches the `count` nearest
//! before its own and sleeps: while these are there, nothing that happens to the others gives it the turn, and one of them
//! going is what it must look at. With a count of one that is its predecessor, and whoever leaves wakes one candidate.
//! With a larger count whoever leaves wakes `count` at most. Fewer cannot do: of two that wait, the second has to learn that
//! the first one's turn has come, since from then on it is to notice the end of any of those that run.
//!
//! An exclusive candidate runs alone: it waits for everybody before it, and everybody behind it waits for it, whatever
//! their count.

use crate::Epoch;

/// One candidate's place in line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The znode's name, without the parent.
    pub name: String,
    /// Its creation zxid.
    pub epoch: Epoch,
    /// Whether it wants to run alone.
    pub exclusive: bool,
}

/// How many may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// At once, one at least.
    pub count: usize,
    /// Whether this candidate runs alone. Its count is one then.
    pub exclusive: bool,
}

/// Where a candidate stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It may run.
    Runs,
    /// It waits.
    Waits {
        /// How many are before it.
        before: usize,
        /// The znodes of which one has to go before its turn can come.
        watch: Vec<String>,
    },
}

/// Where the candidate of this epoch stands among `claims`, which are in no order. It need not be one of them.
#[must_use]
pub fn place(claims: &[Claim], own: Epoch, terms: Terms) -> Place {
    let mut before: Vec<_> = claims.iter().filter(|claim| claim.epoch < own).collect();
    before.sort_by_key(|claim| claim.epoch);
    let allowed = if terms.exclusive { 1 } else { terms.count.max(1) };
    let watch = if before.len() >= allowed {
        before[before.len() - allowed..].iter().map(|claim| claim.name.clone()).collect()
    } else {
        before
            .iter()
            .rev()
            .find(|claim| claim.exclusive)
            .map(|claim| vec![claim.name.clone()])
            .unwrap_or_default()
    };
    match watch {
        watch if watch.is_empty() => Place::Runs,
        watch => Place::Waits { before: before.len(), watch },
    }
}
