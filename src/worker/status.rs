//! What a worker's two tasks say of themselves: its place in line by the registrar's, the command by the keeper's.

use capitana_core::{Epoch, Link};
use serde::Serialize;

/// The place in line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct PlaceStatus {
    /// The link to ZooKeeper.
    pub(super) zookeeper: Link,
    /// The znode, if there is one.
    pub(super) znode: Option<String>,
    /// How many are before it, as far as was read. None: it is not in line.
    pub(super) before: Option<usize>,
    /// The fencing token, while it is its turn.
    pub(super) turn: Option<Epoch>,
    /// Who holds the lock, for people, where the place is a lock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) held_by: Option<String>,
}

impl PlaceStatus {
    /// Whether ZooKeeper has said who is before it, or who holds the lock.
    pub(super) fn is_known(&self) -> bool {
        self.before.is_some() || self.held_by.is_some()
    }
}

/// The command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct CommandStatus {
    /// What is done with it.
    pub(super) state: State,
    /// Its process, while it runs.
    pub(super) pid: Option<i32>,
    /// How often it was started.
    pub(super) starts: u64,
    /// How it ended last, as a shell tells it.
    pub(super) last_status: Option<u8>,
    /// Whether the worker is about to end.
    pub(super) stopping: bool,
}

/// What is done with a command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// It does not run.
    #[default]
    Waiting,
    /// It runs.
    Running,
    /// It was told to end.
    Ending,
}
