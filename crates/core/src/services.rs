//! The running processes as they stand in ZooKeeper: what each writes of itself (`ServiceData`), and what it does about its
//! own znode (`step`). Those who read it have `list` (what is understood), `belief` (when a list is taken for true),
//! `targets` (as Prometheus wants it) and `rendering` (when a file is written anew). Reading and writing are the caller's.

pub mod belief;
pub mod list;
pub mod rendering;
pub mod targets;

use serde::{Deserialize, Serialize};

/// What a process writes of itself. Everything may be missing: others may register as well.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceData {
    /// The node's name, for people.
    pub node: String,
    /// Where it serves its clients, `host:port` each: a proxy's listeners, an agent's MariaDB.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Its admin endpoint's URL, as others reach it. Empty: they cannot.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub admin: String,
    /// Its version.
    pub version: String,
    /// When it was started, in UTC by RFC 3339.
    pub since: String,
    /// How the settings stand that it has from ZooKeeper; none: it looks at none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigInUse>,
}

/// How a process stands with the settings in ZooKeeper.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfigInUse {
    /// The version in use; none: its own settings alone.
    pub version: Option<i32>,
    /// `applied`, or why the newest version is not in use, in a word.
    pub standing: String,
}

impl ServiceData {
    /// As it is written into the znode.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Strings and numbers: there is nothing that JSON could not hold.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A process's own znode, as it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Whether it belongs to the session that looks: one of an earlier session goes with that.
    pub is_ours: bool,
    /// Whether it says what the process has to say.
    pub is_current: bool,
}

/// What is to be done about the process's znode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is as it should be.
    Keep,
    /// It is another session's: away with it.
    Delete,
    /// It says something else: it is to be written. It stays meanwhile, as whoever reads the list would miss a process.
    Write,
    /// There is none.
    Create,
}

/// The next step. The znode's name is the process's alone, so that whatever stands under it may be deleted.
#[must_use]
pub fn step(seen: Option<Seen>) -> Step {
    match seen {
        Some(Seen { is_ours: true, is_current: true }) => Step::Keep,
        Some(Seen { is_ours: true, is_current: false }) => Step::Write,
        Some(Seen { is_ours: false, .. }) => Step::Delete,
        None => Step::Create,
    }
}
