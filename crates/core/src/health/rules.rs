//! How many checks it takes, how far apart they are, and what is asked of a server.

use std::time::Duration;

/// Whether the server is a Galera node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Galera {
    /// As the server says. One that was a Galera node stays one: a node that is started without its provider, as is done
    /// for repairs, must not take writes for an ordinary server.
    Auto,
    /// It is.
    On,
    /// It is not.
    Off,
}

/// How many checks it takes, and what is asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Checks in a row that did not pass and make a fit server unfit; 0 counts as 1.
    pub fall: u32,
    /// Checks in a row that passed and make an unfit server fit; 0 counts as 1.
    pub rise: u32,
    /// Whether a donor (`wsrep_local_state` 2) may lead.
    pub donor_may_lead: bool,
    /// Whether the server is a Galera node.
    pub galera: Galera,
    /// Time between two checks.
    pub interval: Duration,
    /// How long one check may take.
    pub limit: Duration,
}

impl Rules {
    /// The defaults of the agent's settings.
    pub const DEFAULT: Self = Self {
        fall: 2,
        rise: 2,
        donor_may_lead: false,
        galera: Galera::Auto,
        interval: Duration::from_secs(1),
        limit: Duration::from_secs(1),
    };

    /// How long a passed check speaks for the server, from when it was sent: until `fall` checks that were sent after it
    /// would have failed.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        self.interval.saturating_mul(self.fall.max(1)).saturating_add(self.limit)
    }
}
