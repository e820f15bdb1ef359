//! Judges who may change the election's znodes. ZooKeeper checks each znode by itself: nothing is inherited. To delete a
//! znode takes DELETE on its parent; to create one, CREATE on the parent.

use super::finding::{Finding, kinds};

kinds! {
    OPEN = Danger "ZK-ACL-OPEN",
        "Whoever reaches ZooKeeper can stand as a candidate, or delete those there are: clients are led where they want.",
        "Set zookeeper-auth-file on the agents, stop them, delete the election's znode, and let them create it anew; or use setAcl.";
    MEMBER_OPEN = Danger "ZK-ACL-MEMBER-OPEN",
        "Whoever reaches ZooKeeper can write another address into a candidate's znode: proxies that start later lead clients there.",
        "Set zookeeper-auth-file on the agent that created it, and restart it.";
    PARENT_OPEN = Warning "ZK-ACL-PARENT-OPEN",
        "Whoever reaches ZooKeeper can delete the election's znode while it is empty and create it anew with rights of their own.",
        "Use setAcl on the parent: DELETE and ADMIN for its creator only.";
}

/// May read data and list children.
pub const READ: u32 = 1;
/// May write data.
pub const WRITE: u32 = 2;
/// May create children.
pub const CREATE: u32 = 4;
/// May delete children.
pub const DELETE: u32 = 8;
/// May change the ACL.
pub const ADMIN: u32 = 16;

/// One line of a znode's ACL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `world`, `digest`, `ip`, `x509`, `sasl`.
    pub scheme: String,
    /// Who, as the scheme says it.
    pub id: String,
    /// What they may, the sum of the constants above.
    pub permissions: u32,
}

/// The ACL of a znode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// The znode, from the ensemble's own root.
    pub path: String,
    /// Its entries.
    pub entries: Vec<Entry>,
}

impl Acl {
    /// What everybody may who reaches ZooKeeper.
    #[must_use]
    pub fn anyone(&self) -> u32 {
        let everybody = |entry: &&Entry| match entry.scheme.as_str() {
            "world" => true,
            "ip" => entry.id.ends_with("/0"),
            _ => false,
        };
        self.entries.iter().filter(everybody).fold(0, |all, entry| all | entry.permissions)
    }
}

/// What speaks against the ACLs of the election's znode, of its parents, and of the candidates. The root is open in every
/// ensemble that nobody has changed, and protects nothing: what is not empty cannot be deleted.
#[must_use]
pub fn examine(subject: &str, election: &Acl, parents: &[Acl], members: &[Acl]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let open = election.anyone() & (WRITE | CREATE | DELETE | ADMIN);
    if open != 0 {
        findings.push(OPEN.at(subject, format!("anyone may {} at {}", words(open), election.path)));
    }
    for parent in parents.iter().filter(|parent| parent.path != "/") {
        let open = parent.anyone() & (DELETE | ADMIN);
        if open != 0 {
            findings.push(PARENT_OPEN.at(subject, format!("anyone may {} at {}", words(open), parent.path)));
        }
    }
    let open: Vec<_> =
        members.iter().filter(|m| m.anyone() & (WRITE | ADMIN) != 0).map(|m| m.path.as_str()).collect();
    if let [first, others @ ..] = &open[..] {
        let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
        findings.push(MEMBER_OPEN.at(subject, format!("anyone may change {first}{more}")));
    }
    findings
}

fn words(permissions: u32) -> String {
    let names = [(WRITE, "write"), (CREATE, "create"), (DELETE, "delete"), (ADMIN, "change the ACL")];
    let words: Vec<_> =
        names.iter().filter(|(bit, _)| permissions & bit != 0).map(|(_, word)| *word).collect();
    words.join(", ")
}
