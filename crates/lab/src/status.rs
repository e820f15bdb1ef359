//! Owns how the lab reads what a proxy and an agent say of themselves in `/status`: the parts of it that scenarios need.

use serde::Deserialize;
use serde_json::Value;

/// What a proxy says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ProxyStatus {
    /// Whether clients can be led somewhere.
    pub ready: bool,
    /// Where clients are led. None while there is no primary.
    pub route: Option<Route>,
    /// The election as the proxy sees it.
    pub election: Election,
    /// Who serves as a replica.
    pub replicas: Replicas,
    /// How many clients are there.
    pub sessions: Sessions,
}

/// Who serves as a replica.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Replicas {
    /// The members that do.
    pub members: Vec<Replica>,
    /// Whether the only one is the primary, for want of another.
    pub by_fallback: bool,
}

/// A member that serves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Replica {
    /// The creation zxid of its znode.
    pub epoch: i64,
    /// The member, `host:port`.
    pub upstream: String,
    /// Its share of the sessions.
    pub weight: u32,
    /// Sessions it has from this proxy.
    pub sessions: u64,
}

/// A session as `/sessions` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Session {
    /// `primary` or `replica`.
    pub role: String,
    /// Its server, once there is one.
    pub upstream: Option<String>,
    /// When it was accepted, in milliseconds since 1970 UTC.
    pub since_ms: u64,
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
    /// How long its agent says that its receive queue is, in write sets.
    #[serde(default)]
    pub lag: Option<u64>,
}

/// How many clients a proxy has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sessions {
    /// All there are, waiting ones included.
    pub active: u64,
    /// Those of them that wait for a server.
    pub held: u64,
    /// Those of them that came for a replica.
    pub replica: ReplicaSessions,
}

/// How many clients a proxy has that came for a replica.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReplicaSessions {
    /// All there are.
    pub active: u64,
    /// Those that are to go elsewhere.
    pub draining: u64,
}

/// What an agent says of itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct AgentStatus {
    /// Whether its server may lead.
    pub fit: bool,
    /// Why, for people.
    pub reason: String,
    /// The last check.
    pub last_check: Option<LastCheck>,
    /// The agent's own commits.
    pub canary: Canary,
    /// Its znode, if it has one.
    pub registered: Option<Registered>,
    /// The fence that it has set, for people. Null: none.
    pub fenced: Value,
    /// What it knows of its session with ZooKeeper, once it has had one.
    pub zookeeper_lease: Option<Lease>,
}

/// An agent's last check.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LastCheck {
    /// What speaks against the server. None: nothing.
    pub problem: Option<String>,
    /// What was read.
    pub reading: Option<Reading>,
}

/// What a check has read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reading {
    /// `Synced` and the like.
    pub wsrep_local_state_comment: Option<String>,
}

/// An agent's own commits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Canary {
    /// Why none can be made, if that is so.
    pub impossible_because: Option<String>,
    /// What became of the last one.
    pub last: Option<LastCommit>,
}

impl Canary {
    /// Whether the last one was a row, and committed: only the agent of the server that leads writes any.
    pub fn writes_rows(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.row && last.result == "done")
    }
}

/// One commit of an agent's own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LastCommit {
    /// Whether it was a row.
    pub row: bool,
    /// As in `capitana_agent_canaries_total`.
    pub result: String,
}

/// An agent's znode.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Registered {
    /// Its path.
    pub path: String,
}

/// What an agent knows of its session with ZooKeeper.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Lease {
    /// Whether the session is certainly there.
    pub held: bool,
}
