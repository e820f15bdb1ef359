//! What speaks against a server leading: for people, as a metric's label, and whether once is enough.

use std::fmt;

/// What speaks against a server leading. Its `Display` is for people, its `label` for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// No check has been made since the agent started, or since the server came back from a crash.
    NotChecked,
    /// The long-lived connection broke and the server does not take another.
    Crashed(String),
    /// Checks fail, with the cause of the last one.
    CheckFailed(String),
    /// The server is not a Galera node, or does not replicate.
    NotReplicating(String),
    /// The node is not in the primary component.
    NotPrimary(String),
    /// The node does not accept queries.
    NotReady,
    /// Clients are rejected (`wsrep_reject_queries`).
    RejectsQueries(String),
    /// Ordinary users cannot write, or nobody can.
    ReadOnly,
    /// The node has not applied everything, or is a donor.
    NotSynced(String),
    /// The node is desynchronised and may lag without bound.
    Desynced,
    /// Commits hang, those that are replicated nowhere too.
    NotCommitting(String),
    /// The server answers a commit with an error.
    CommitRefused(String),
}

impl Unfit {
    /// The labels of all that can make a fit server unfit, so that each metric exists from the start.
    pub const LABELS: [&str; 11] = [
        "crashed",
        "check-failed",
        "not-replicating",
        "not-primary",
        "not-ready",
        "rejects-queries",
        "read-only",
        "not-synced",
        "desynced",
        "not-committing",
        "commit-refused",
    ];

    /// The finding as a metric's label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::NotChecked => "not-checked",
            Self::Crashed(_) => "crashed",
            Self::CheckFailed(_) => "check-failed",
            Self::NotReplicating(_) => "not-replicating",
            Self::NotPrimary(_) => "not-primary",
            Self::NotReady => "not-ready",
            Self::RejectsQueries(_) => "rejects-queries",
            Self::ReadOnly => "read-only",
            Self::NotSynced(_) => "not-synced",
            Self::Desynced => "desynced",
            Self::NotCommitting(_) => "not-committing",
            Self::CommitRefused(_) => "commit-refused",
        }
    }

    /// Whether one such finding is enough. The server itself states that it turns clients' writes away, so waiting
    /// for a second one only prolongs the outage. Failed checks, and states a backup passes through in a moment
    /// (donor, desynchronised), must repeat.
    #[must_use]
    pub fn is_definite(&self) -> bool {
        match self {
            Self::Crashed(_)
            | Self::NotReplicating(_)
            | Self::NotPrimary(_)
            | Self::NotReady
            | Self::RejectsQueries(_)
            | Self::ReadOnly => true,
            Self::NotChecked
            | Self::CheckFailed(_)
            | Self::NotSynced(_)
            | Self::Desynced
            | Self::NotCommitting(_)
            | Self::CommitRefused(_) => false,
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotChecked => write!(f, "the server has passed no check yet"),
            Self::Crashed(cause) => {
                write!(f, "the server takes no connections: {cause}")
            }
            Self::CheckFailed(cause) => write!(f, "the server cannot be checked: {cause}"),
            Self::NotReplicating(value) => {
                write!(f, "the server does not replicate: wsrep_on is {value}, not ON")
            }
            Self::NotPrimary(value) => write!(
                f,
                "the node is not in the primary component: wsrep_cluster_status is {value}, not Primary"
            ),
            Self::NotReady => write!(f, "the node does not accept queries: wsrep_ready is not ON"),
            Self::RejectsQueries(value) => {
                write!(f, "the node turns clients away: {value}")
            }
            Self::ReadOnly => write!(f, "the server does not let clients write: read_only is not OFF"),
            Self::NotSynced(state) => write!(f, "the node is not synced: wsrep_local_state is {state}"),
            Self::Desynced => write!(f, "the node is desynchronised: wsrep_desync is not OFF"),
            Self::NotCommitting(cause) => write!(f, "the server does not commit: {cause}"),
            Self::CommitRefused(cause) => write!(f, "the server refuses to commit: {cause}"),
        }
    }
}
