//! Judges who may change the election's znodes, and those of the settings for all daemons. ZooKeeper checks each znode by itself:
//! nothing is inherited. To delete a znode takes DELETE on its parent; to create one, CREATE on the parent.

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
    CONFIG_OPEN = Danger "ZK-ACL-CONFIG-OPEN",
        "Whoever reaches ZooKeeper can change the settings of all daemons at once, checks and limits among them.",
        "Write the settings with `capitana config set` and zookeeper-auth-file, which makes their znodes with zookeeper-acl, or use setAcl on those named; or set config-path to off everywhere.";
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

/// A znode that settings for all daemons are in, or can be put into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It is there.
    There {
        /// Its own ACL.
        znode: Acl,
        /// That of the znode above it, where it could be read.
        parent: Option<Acl>,
    },
    /// It is not.
    Missing {
        /// Where it would be.
        path: String,
        /// The nearest znode above that is there: the root is one.
        ancestor: Acl,
    },
}

impl Place {
    /// How everybody can change what it says. To delete it is such a way: what the files say holds then, or what is put in
    /// its place. The root counts here, because whoever may create at it can make all that is missing below.
    fn ways(&self) -> Vec<String> {
        let way = |acl: &Acl, rights: u32, so: String| {
            let open = acl.anyone() & rights;
            (open != 0).then(|| format!("anyone may {} at {}{so}", words(open), acl.path))
        };
        let ways = match self {
            Self::There { znode, parent } => {
                let above = parent.as_ref().and_then(|parent| way(parent, DELETE | ADMIN, String::new()));
                [way(znode, WRITE | ADMIN, String::new()), above]
            }
            Self::Missing { path, ancestor } => {
                [way(ancestor, CREATE | ADMIN, format!(", where {path} is still to be made")), None]
            }
        };
        ways.into_iter().flatten().collect()
    }
}

/// What speaks against the ACLs of the settings for all daemons: one finding, however many znodes are open.
#[must_use]
pub fn examine_config(subject: &str, places: &[Place]) -> Option<Finding> {
    let mut ways: Vec<_> = places.iter().flat_map(Place::ways).collect();
    ways.dedup();
    (!ways.is_empty()).then(|| CONFIG_OPEN.at(subject, ways.join("; ")))
}

fn words(permissions: u32) -> String {
    let names = [(WRITE, "write"), (CREATE, "create"), (DELETE, "delete"), (ADMIN, "change the ACL")];
    let words: Vec<_> =
        names.iter().filter(|(bit, _)| permissions & bit != 0).map(|(_, word)| *word).collect();
    words.join(", ")
}
