//! What one check read from MariaDB (`Reading`) and what speaks against leading (`Unfit`). When such a finding
//! takes effect is decided in `health`.

use std::fmt;

use serde::Serialize;

/// `wsrep_local_state` of a member that has applied everything: Synced.
const SYNCED: &str = "4";
/// `wsrep_local_state` of a member that sends its state to a joiner, or is desynchronised: Donor/Desynced.
const DONOR: &str = "2";

/// The status counters a check asks for, by their names in MariaDB.
pub const STATUS_NAMES: [&str; 4] =
    ["wsrep_ready", "wsrep_cluster_status", "wsrep_local_state", "wsrep_local_state_comment"];

/// The global variables a check asks for, by their names in MariaDB.
pub const VARIABLE_NAMES: [&str; 4] = ["wsrep_on", "wsrep_desync", "wsrep_reject_queries", "read_only"];

/// The values one check read. None where the server did not name it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Reading {
    /// `ON` where the node accepts queries.
    pub wsrep_ready: Option<String>,
    /// `Primary` where the node is in the cluster's primary component.
    pub wsrep_cluster_status: Option<String>,
    /// 1 joining, 2 donor, 3 joined, 4 synced.
    pub wsrep_local_state: Option<String>,
    /// The state in words.
    pub wsrep_local_state_comment: Option<String>,
    /// `ON` where the node replicates.
    pub wsrep_on: Option<String>,
    /// `ON` where the node takes no part in flow control and may lag.
    pub wsrep_desync: Option<String>,
    /// `NONE`, `ALL` or `ALL_KILL`.
    pub wsrep_reject_queries: Option<String>,
    /// `OFF` where ordinary users may write.
    pub read_only: Option<String>,
}

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
    /// Ordinary users cannot write.
    ReadOnly,
    /// The node has not applied everything, or is a donor.
    NotSynced(String),
    /// The node is desynchronised and may lag without bound.
    Desynced,
}

impl Unfit {
    /// The labels of all that can make a fit server unfit, so that each metric exists from the start.
    pub const LABELS: [&str; 9] = [
        "crashed",
        "check-failed",
        "not-replicating",
        "not-primary",
        "not-ready",
        "rejects-queries",
        "read-only",
        "not-synced",
        "desynced",
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
            Self::NotChecked | Self::CheckFailed(_) | Self::NotSynced(_) | Self::Desynced => false,
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
                write!(f, "the node turns clients away: wsrep_reject_queries is {value}, not NONE")
            }
            Self::ReadOnly => write!(f, "the server does not let clients write: read_only is not OFF"),
            Self::NotSynced(state) => write!(f, "the node is not synced: wsrep_local_state is {state}"),
            Self::Desynced => write!(f, "the node is desynchronised: wsrep_desync is not OFF"),
        }
    }
}

impl Reading {
    /// Takes the rows of `SHOW GLOBAL STATUS` and `SHOW GLOBAL VARIABLES`. Names that are not known are ignored.
    #[must_use]
    pub fn parse(rows: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut reading = Self::default();
        for (name, value) in rows {
            if let Some(field) = reading.field(&name.to_ascii_lowercase()) {
                *field = Some(value);
            }
        }
        reading
    }

    fn field(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "wsrep_ready" => Some(&mut self.wsrep_ready),
            "wsrep_cluster_status" => Some(&mut self.wsrep_cluster_status),
            "wsrep_local_state" => Some(&mut self.wsrep_local_state),
            "wsrep_local_state_comment" => Some(&mut self.wsrep_local_state_comment),
            "wsrep_on" => Some(&mut self.wsrep_on),
            "wsrep_desync" => Some(&mut self.wsrep_desync),
            "wsrep_reject_queries" => Some(&mut self.wsrep_reject_queries),
            "read_only" => Some(&mut self.read_only),
            _ => None,
        }
    }

    /// What speaks against this server leading, the gravest first; None where nothing does. A donor (state 2), which
    /// is desynchronised by its nature, passes where `donor_may_lead`.
    #[must_use]
    pub fn objection(&self, donor_may_lead: bool) -> Option<Unfit> {
        let donor = donor_may_lead && self.wsrep_local_state.as_deref() == Some(DONOR);
        if !is(&self.wsrep_on, "ON") {
            return Some(Unfit::NotReplicating(quote(&self.wsrep_on)));
        }
        if !is(&self.wsrep_cluster_status, "Primary") {
            return Some(Unfit::NotPrimary(quote(&self.wsrep_cluster_status)));
        }
        if !is(&self.wsrep_ready, "ON") {
            return Some(Unfit::NotReady);
        }
        if !is(&self.wsrep_reject_queries, "NONE") {
            return Some(Unfit::RejectsQueries(quote(&self.wsrep_reject_queries)));
        }
        if !is(&self.read_only, "OFF") {
            return Some(Unfit::ReadOnly);
        }
        if !donor && !is(&self.wsrep_local_state, SYNCED) {
            return Some(Unfit::NotSynced(self.state_in_words()));
        }
        (!donor && !is(&self.wsrep_desync, "OFF")).then_some(Unfit::Desynced)
    }

    fn state_in_words(&self) -> String {
        let state = quote(&self.wsrep_local_state);
        match &self.wsrep_local_state_comment {
            Some(words) => format!("{state} ({words}), not 4 (Synced)"),
            None => format!("{state}, not 4 (Synced)"),
        }
    }
}

fn is(value: &Option<String>, wanted: &str) -> bool {
    value.as_deref().is_some_and(|v| v.eq_ignore_ascii_case(wanted))
}

fn quote(value: &Option<String>) -> String {
    value.as_deref().unwrap_or("not known to the server").to_owned()
}
