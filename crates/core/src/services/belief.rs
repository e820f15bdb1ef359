//! When a list of services is taken for true. ZooKeeper that comes back after an outage has lost the sessions that were
//! not resumed in time, and their owners register anew one by one: what is read meanwhile lacks services that run.

use std::collections::BTreeSet;
use std::time::Duration;

use super::list::{Service, Services};

/// How long a link that has come back has to be up before a list read on it may lack what was there before. A process comes back within the
/// longest pause between two attempts of its side session, 3 s, and the time of an attempt, a session timeout (6 s where
/// nobody says otherwise); the rest is for a busy ensemble.
pub const SETTLING: Duration = Duration::from_secs(15);

/// What is to be made of a reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is true.
    Believed,
    /// It lacks services that were there, and the link is too young: read again in this time, or at the next change.
    Doubted(Duration),
}

/// What was last believed, and since when the link is up.
#[derive(Debug, Clone, Default)]
pub struct Belief {
    known: BTreeSet<(String, String)>,
    up_since: Option<Duration>,
    /// Whether the link was up before, so that something may have been lost.
    again: bool,
}

impl Belief {
    /// The link has come up, for the first time or again.
    pub fn connected(&mut self, now: Duration) {
        self.again = self.up_since.is_some();
        self.up_since = Some(now);
    }

    /// Judges a reading. An empty list is doubted on the first link as well: whoever starts with ZooKeeper sees one.
    pub fn judge(&mut self, read: &Services, now: Duration) -> Verdict {
        let there: BTreeSet<_> =
            read.services.iter().map(|service| (service.kind.clone(), place(service))).collect();
        let lacking = there.is_empty() || (self.again && !self.known.is_subset(&there));
        let settled = self.up_since.unwrap_or_default() + SETTLING;
        if lacking && now < settled {
            return Verdict::Doubted(settled - now);
        }
        self.known = there;
        Verdict::Believed
    }
}

/// A process that was restarted has another id, and is still there for those who look for its node and address.
fn place(service: &Service) -> String {
    format!("{} {}", service.node, service.addresses.join(" "))
}
