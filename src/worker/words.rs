//! What a worker and its guard say to each other: one JSON value a line. Both are the same program, so that nothing here
//! has to be understood by another version.

use std::time::Duration;

use capitana_core::worker::{Exit, Limits};
use serde::{Deserialize, Serialize};

/// What the guard is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Order {
    /// Until when the command may run: the first order, and with each renewal of the lease.
    Limits { end_at: Duration, kill_at: Duration, last: Duration },
    /// A signal for the command.
    Signal(i32),
    /// Everything is to end, and is killed after this time.
    End(Duration),
    /// Everything is killed.
    Kill,
}

/// What the guard tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Report {
    /// The command runs as this process, which leads a group of its own.
    Started(i32),
    /// It could not be started: the status that a shell would give, and why.
    Failed(u8, String),
    /// It has ended like this, and nothing of it is left.
    Exited(u8),
    /// The same, by a signal.
    Killed(u8),
}

impl From<Limits> for Order {
    fn from(limits: Limits) -> Self {
        Self::Limits { end_at: limits.end_at, kill_at: limits.kill_at, last: limits.last }
    }
}

impl From<Exit> for Report {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Code(code) => Self::Exited(code),
            Exit::Signal(signal) => Self::Killed(signal),
        }
    }
}

/// As one line.
pub(super) fn line(word: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(word).unwrap_or_default();
    line.push(b'\n');
    line
}
