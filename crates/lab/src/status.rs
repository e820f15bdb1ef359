//! Owns how the lab reads a proxy's `/status`: the part of it that scenarios need.

use serde::Deserialize;

/// What a proxy says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ProxyStatus {
    /// Whether clients can be led somewhere.
    pub ready: bool,
    /// Where clients are led. None while there is no primary.
    pub route: Option<Route>,
    /// The election as the proxy sees it.
    pub election: Election,
    /// How many clients are there.
    pub sessions: Sessions,
}

/// A primary and its time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Route {
    /// The creation zxid of the primary's znode.
    pub epoch: i64,
    /// The primary, `host:port`.
    pub upstream: String,
}

/// The election as a proxy sees it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Election {
    /// Whether the proxy has a session with ZooKeeper.
    pub connected: bool,
    /// The primary that is elected, whether or not clients are led there yet.
    pub primary: Option<Route>,
    /// The candidates in order. The first is the primary, unless a newer one has been followed before.
    pub members: Vec<Member>,
}

impl Election {
    /// The candidate that is elected.
    pub fn leader(&self) -> Option<&Member> {
        let primary = self.primary.as_ref()?;
        self.members.iter().find(|member| member.epoch == primary.epoch)
    }
}

/// A candidate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Member {
    /// The creation zxid of its znode.
    pub epoch: i64,
    /// The znode's name.
    pub name: String,
    /// The candidate, `host:port`.
    pub upstream: String,
}

/// How many clients a proxy has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sessions {
    /// All there are, waiting ones included.
    pub active: u64,
    /// Those of them that wait for a primary.
    pub held: u64,
}
