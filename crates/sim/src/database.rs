//! A model of a MariaDB server in a Galera cluster, as an agent's checks and a proxy's causal reads see it. What a check
//! reads is judged by `capitana_core::health`.

use capitana_core::health::Reading;

/// What is the matter with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// Its process has ended; connections to it are refused.
    Down,
    /// Its process is stopped; nothing is answered, and no connection ends.
    Frozen,
    /// It is not in the primary component.
    Minority,
    /// An operator has set `read_only`.
    ReadOnly,
    /// It is a donor.
    Donor,
    /// It has just been started and joins the cluster.
    Joining,
}

/// One server.
#[derive(Debug)]
pub struct Database {
    /// What is the matter with it.
    pub trouble: Trouble,
    /// Whether its agent has fenced it.
    pub fenced: bool,
}

impl Database {
    /// A server that can lead.
    #[must_use]
    pub fn new() -> Self {
        Self { trouble: Trouble::None, fenced: false }
    }

    /// Whether it takes writes and has everything.
    #[must_use]
    pub fn can_lead(&self) -> bool {
        self.trouble == Trouble::None && !self.fenced
    }

    /// Whether its connections are closed and no new one is taken.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.trouble == Trouble::Down
    }

    /// Whether it is in Galera's primary component, as far as it can say.
    #[must_use]
    pub fn in_primary_component(&self) -> bool {
        matches!(self.trouble, Trouble::None | Trouble::ReadOnly | Trouble::Donor)
    }

    /// Whether it answers statements.
    #[must_use]
    pub fn answers(&self) -> bool {
        !matches!(self.trouble, Trouble::Down | Trouble::Frozen)
    }

    /// What a check reads. None: nothing is answered, now.
    #[must_use]
    pub fn check(&self) -> Option<Result<Reading, String>> {
        let state = match self.trouble {
            Trouble::Frozen => return None,
            Trouble::Down => return Some(Err("connection refused".to_owned())),
            Trouble::Donor => "2",
            Trouble::Joining => "1",
            _ => "4",
        };
        let on = |yes: bool| Some(if yes { "ON" } else { "OFF" }.to_owned());
        let primary = !matches!(self.trouble, Trouble::Minority | Trouble::Joining);
        Some(Ok(Reading {
            wsrep_ready: on(primary),
            wsrep_cluster_status: Some(if primary { "Primary" } else { "non-Primary" }.to_owned()),
            wsrep_local_state: Some(state.to_owned()),
            wsrep_on: on(true),
            wsrep_desync: on(self.trouble == Trouble::Donor),
            wsrep_reject_queries: Some("NONE".to_owned()),
            // The agent knows its own fence from an operator's.
            read_only: on(self.trouble == Trouble::ReadOnly),
            ..Reading::default()
        }))
    }
}

impl Default for Database {
    fn default() -> Self {
        Self::new()
    }
}
