//! Knows builds of MariaDB with faults that matter behind capitana: acknowledged writes lost, nodes that hang or do not
//! come back. The list is short on purpose: only what is reported in public, with the versions that the report names.

use super::finding::{Finding, kinds};
use crate::version::{Version, release};

kinds! {
    KNOWN_BUG = Warning "DB-KNOWN-BUG",
        "This version has a reported fault that a cluster behind capitana can meet.",
        "Read the report, and upgrade when a later release says that it is fixed.";
}

/// A fault, and the versions it was reported of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bug {
    /// The first version of the report.
    pub first: Version,
    /// The last version of the report, of the same or a later series.
    pub last: Version,
    /// What happens.
    pub what: &'static str,
    /// Where it is reported.
    pub source: &'static str,
}

/// Every fault that is known here. None of them was marked as fixed in a release when the list was made (2026).
pub const BUGS: &[Bug] = &[
    Bug {
        first: (11, 4, 4),
        last: (11, 4, 9),
        what: "a node that comes back can fail its incremental state transfer again and again",
        source: "https://jira.mariadb.org/browse/MDEV-38579",
    },
    Bug {
        first: (11, 4, 10),
        last: (11, 4, 10),
        what: "a Galera node that is also an asynchronous replica can hang when it is stopped",
        source: "https://jira.mariadb.org/browse/MDEV-39011",
    },
    Bug {
        first: (12, 1, 2),
        last: (12, 2, 2),
        what: "committed transactions can be lost when processes crash while the network is cut, on any settings",
        source: "https://jepsen.io/blog/2026-03-16-mariadb-galera-cluster-12.1.2",
    },
];

/// The reported faults of a Galera node whose `version` variable is `text`.
#[must_use]
pub fn examine(subject: &str, text: &str) -> Vec<Finding> {
    let Some(version) = release(text).filter(|_| text.contains("MariaDB")) else { return Vec::new() };
    let hit = BUGS.iter().filter(|bug| bug.first <= version && version <= bug.last);
    hit.map(|bug| KNOWN_BUG.at(subject, format!("{text}: {}: {}", bug.what, bug.source))).collect()
}
