//! What one check read from MariaDB (`Reading`), and what of it speaks against leading. When such a finding takes
//! effect is decided in `health`.

use serde::Serialize;

use super::unfit::Unfit;

/// `wsrep_local_state` of a member that has applied everything: Synced.
const SYNCED: &str = "4";
/// `wsrep_local_state` of a member that sends its state to a joiner, or is desynchronised: Donor/Desynced.
const DONOR: &str = "2";

/// The status counters a check asks for, by their names in MariaDB.
pub const STATUS_NAMES: [&str; 6] = [
    "wsrep_ready",
    "wsrep_cluster_status",
    "wsrep_local_state",
    "wsrep_local_state_comment",
    "wsrep_last_committed",
    "wsrep_local_recv_queue",
];

/// The global variables a check asks for, by their names in MariaDB and MySQL. A server leaves out those it does not
/// know.
pub const VARIABLE_NAMES: [&str; 8] = [
    "wsrep_on",
    "wsrep_provider",
    "wsrep_desync",
    "wsrep_reject_queries",
    "wsrep_sst_donor_rejects_queries",
    "read_only",
    "super_read_only",
    "innodb_read_only",
];

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
    /// The number of the last write set that was committed here, a client's or another node's.
    pub wsrep_last_committed: Option<String>,
    /// How many write sets wait to be applied.
    pub wsrep_local_recv_queue: Option<String>,
    /// `ON` where the node replicates.
    pub wsrep_on: Option<String>,
    /// The library that replicates; `none` on a server without Galera.
    pub wsrep_provider: Option<String>,
    /// `ON` where the node takes no part in flow control and may lag.
    pub wsrep_desync: Option<String>,
    /// `NONE`, `ALL` or `ALL_KILL`.
    pub wsrep_reject_queries: Option<String>,
    /// `ON` where a donor turns queries away.
    pub wsrep_sst_donor_rejects_queries: Option<String>,
    /// `OFF` where ordinary users may write. Newer servers have more values than `ON` and `OFF`, such as `NO_LOCK`.
    pub read_only: Option<String>,
    /// MySQL's: `OFF` where administrators may write.
    pub super_read_only: Option<String>,
    /// `OFF` unless the server was started so that InnoDB writes nothing.
    pub innodb_read_only: Option<String>,
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
            "wsrep_last_committed" => Some(&mut self.wsrep_last_committed),
            "wsrep_local_recv_queue" => Some(&mut self.wsrep_local_recv_queue),
            "wsrep_on" => Some(&mut self.wsrep_on),
            "wsrep_provider" => Some(&mut self.wsrep_provider),
            "wsrep_desync" => Some(&mut self.wsrep_desync),
            "wsrep_reject_queries" => Some(&mut self.wsrep_reject_queries),
            "wsrep_sst_donor_rejects_queries" => Some(&mut self.wsrep_sst_donor_rejects_queries),
            "read_only" => Some(&mut self.read_only),
            "super_read_only" => Some(&mut self.super_read_only),
            "innodb_read_only" => Some(&mut self.innodb_read_only),
            _ => None,
        }
    }

    /// How many write sets wait to be applied; none where the server does not say.
    #[must_use]
    pub fn queue(&self) -> Option<u64> {
        self.wsrep_local_recv_queue.as_ref()?.parse().ok()
    }

    /// Whether the server says that it is a Galera node. One that does not know `wsrep_provider` is none, unless it says
    /// that it replicates.
    #[must_use]
    pub fn is_galera(&self) -> bool {
        match self.wsrep_provider.as_deref() {
            Some(provider) => !provider.is_empty() && !provider.eq_ignore_ascii_case("none"),
            None => is(&self.wsrep_on, "ON"),
        }
    }

    /// What speaks against this Galera node leading, the gravest first; None where nothing does. A donor (state 2), which
    /// is desynchronised by its nature, passes where `donor_may_lead`, unless it turns queries away.
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
            let value = quote(&self.wsrep_reject_queries);
            return Some(Unfit::RejectsQueries(format!("wsrep_reject_queries is {value}, not NONE")));
        }
        if donor && is(&self.wsrep_sst_donor_rejects_queries, "ON") {
            let cause = "it is a donor, and wsrep_sst_donor_rejects_queries is ON";
            return Some(Unfit::RejectsQueries(cause.to_owned()));
        }
        if self.is_read_only() {
            return Some(Unfit::ReadOnly);
        }
        if !donor && !is(&self.wsrep_local_state, SYNCED) {
            return Some(Unfit::NotSynced(self.state_in_words()));
        }
        (!donor && !is(&self.wsrep_desync, "OFF")).then_some(Unfit::Desynced)
    }

    /// What speaks against an ordinary server leading, one without Galera: what replicates it, if anything does, is
    /// somebody else's, who also sets `read_only` on a standby.
    #[must_use]
    pub fn objection_to_plain(&self) -> Option<Unfit> {
        self.is_read_only().then_some(Unfit::ReadOnly)
    }

    /// Only `OFF` lets everybody write. A server that does not say so does not count as writable; of the two that only
    /// some servers have, it need not speak.
    fn is_read_only(&self) -> bool {
        let off = |value: &Option<String>| is(value, "OFF") || is(value, "0");
        let unknown_or_off = |value: &Option<String>| value.is_none() || off(value);
        !off(&self.read_only)
            || !unknown_or_off(&self.super_read_only)
            || !unknown_or_off(&self.innodb_read_only)
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
