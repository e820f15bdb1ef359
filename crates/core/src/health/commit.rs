//! What became of a commit of the agent's own, the canary, and what that says of the server. Making it is done
//! elsewhere.
//!
//! There are two kinds. A row that is written is replicated, as a client's are. On Galera its commit also waits for
//! others: for flow control, for a member that is silent, for an ALTER TABLE of the whole cluster. All of these look alike
//! from outside, to each other and to a disk that hangs (`Waiting for certification`, measured on 10.11), and in none of
//! them would another primary do better. A local commit, of something that is replicated nowhere, tells them apart: a
//! server that answers it is not at fault.

use std::time::Duration;

use super::unfit::Unfit;

/// The error of a server that is read-only: MariaDB's and MySQL's `ER_OPTION_PREVENTS_STATEMENT`, and their
/// `ER_READ_ONLY_MODE`.
const READ_ONLY: [u16; 2] = [1290, 1836];

/// Which kind of commit to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canary {
    /// A row of the agent's own: on the server that leads.
    Row,
    /// One that is replicated nowhere.
    Local,
}

/// What became of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// The server has acknowledged it.
    Done,
    /// The server has not answered for so long, and does or does not answer a local one meanwhile.
    Overdue {
        /// How long it has been waited for.
        after: Duration,
        /// What is known of local commits.
        local: Local,
    },
    /// The server answered with this error.
    Refused {
        /// Its code.
        code: u16,
        /// What it says.
        cause: String,
    },
    /// None can be made, and why: the account has no right to, or a table is missing that the account may not make.
    Impossible(String),
    /// None can be made yet: its table is missing, which the server that leads makes with its first row.
    TooEarly,
    /// The connection broke, or there was none: that is for the checks and the long-lived connection to judge.
    Lost(String),
}

/// What is known of a server's local commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// One was answered.
    Answered,
    /// One is not answered either.
    Hangs,
    /// None could be tried.
    Unknown,
}

impl Commit {
    /// What this says against the server. What cannot be told is held against nobody.
    #[must_use]
    pub fn finding(&self) -> Option<Unfit> {
        match self {
            Self::Overdue { after, local: Local::Hangs } => {
                Some(Unfit::NotCommitting(format!("no answer to a commit for {after:?}")))
            }
            Self::Refused { code, .. } if READ_ONLY.contains(code) => Some(Unfit::ReadOnly),
            Self::Refused { cause, .. } => Some(Unfit::CommitRefused(cause.clone())),
            Self::Done | Self::Overdue { .. } | Self::Impossible(_) | Self::TooEarly | Self::Lost(_) => None,
        }
    }
}
