//! The settings of each command, resolved and checked: what the rest of the daemon reads.
//!
//! Where they come from is in the modules beside this one: `settings` defines each (key, flag, environment variable,
//! default), `value` reads one from text, `document` reads a file, `source` decides who wins, `load` puts it together.

pub(crate) mod access;
mod choices;
pub(crate) mod common;
pub mod document;
mod file;
pub mod keys;
mod listeners;
pub mod load;
mod password;
mod resolve;
pub mod settings;
pub mod source;
pub mod value;
pub mod words;
mod worker;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use choices::{BarrierFallback, InitSql, InitSqlEncrypted, ReplicaFallback};
pub use common::host_name;
pub use password::Secret;
pub use worker::{RestartChoice, WorkerConfig};

use crate::live::Store;

/// How log lines look.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line of text for people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// What `proxy` and `agent` share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommonConfig {
    /// ZooKeeper's connect string: `host:port[,host:port...][/chroot]`. None only with a fixed primary.
    pub zookeeper: Option<String>,
    /// Who this is to ZooKeeper, and whether it is reached over TLS.
    pub zookeeper_access: ZooKeeperAccess,
    /// The session timeout asked of ZooKeeper; the server answers with one between 2 and 20 ticks.
    pub zookeeper_session_timeout: Duration,
    /// The znode whose children are the candidates, for example `/mariadb/primary`.
    pub election_path: String,
    /// The znode below which settings for all daemons are. None: they are not looked at.
    pub config_path: Option<String>,
    /// The znode below which the running processes are, by kind, for example `/services`.
    pub services_path: String,
    /// Who may do what with the znodes the process creates.
    pub zookeeper_acl: ZooKeeperAcl,
    /// The name of this node for people; by default the host's name.
    pub node_name: String,
    /// Where `/metrics`, `/healthz`, `/readyz` and `/status` are served.
    pub admin_listen: SocketAddr,
    /// Where others reach that. None: they cannot.
    pub admin_advertise: Option<capitana_core::HostPort>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// A `tracing` filter directive, for example `info` or `capitana=debug`.
    pub log_level: String,
}

impl CommonConfig {
    /// Where the settings for all daemons of this kind are in ZooKeeper. None: nowhere that is looked at.
    #[must_use]
    pub fn store(&self, kind: keys::Kind) -> Option<Store> {
        let path = self.config_path.as_ref().filter(|_| self.zookeeper.is_some())?;
        Some(Store::new(path, kind))
    }
}

/// Who this program is to ZooKeeper, and how it is reached. By default nobody, in the clear.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ZooKeeperAccess {
    /// `user:password` for ZooKeeper's digest scheme.
    pub auth: Option<Secret>,
    /// None: no TLS.
    pub tls: Option<ZooKeeperTls>,
}

impl ZooKeeperAccess {
    /// Whether ZooKeeper is told who this is.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.auth.is_some()
    }
}

/// TLS towards ZooKeeper: files in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ZooKeeperTls {
    /// Those who may have signed ZooKeeper's certificate. None: the authorities of the web.
    pub ca_file: Option<PathBuf>,
    /// The certificate to show, and its private key. None: none is shown.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Settings of `capitana proxy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyConfig {
    /// What is shared with the agent.
    pub common: CommonConfig,
    /// The addresses on which clients are accepted.
    pub listen: Vec<SocketAddr>,
    /// The addresses on which clients that only read are accepted. Empty: none are.
    pub replica_listen: Vec<SocketAddr>,
    /// Who serves as a replica.
    pub replica_rules: capitana_core::replicas::Rules,
    /// What sessions begin with.
    pub init_sql: InitSql,
    /// A fixed primary `host:port` that stands in for the election.
    pub primary: Option<capitana_core::HostPort>,
    /// Which upstreams the election may name. Empty: any.
    pub allow_upstreams: capitana_core::AllowList,
    /// How long a new client is kept waiting while there is no primary.
    pub hold_timeout: Duration,
    /// How many clients may wait at once.
    pub max_held: usize,
    /// How many clients may be connected at once on each listener. None: as many as descriptors allow.
    pub max_connections: Option<usize>,
    /// How long one attempt to connect to the primary may take.
    pub dial_timeout: Duration,
    /// How long the MySQL handshake may take, from the first byte of the server's greeting.
    pub handshake_timeout: Duration,
    /// How long open sessions may go on after SIGTERM.
    pub shutdown_timeout: Duration,
    /// How many clients one address may have connected at once on each listener.
    pub max_connections_per_client: Option<usize>,
    /// How many sessions one server gets at once; more wait.
    pub max_upstream_connections: Option<usize>,
    /// Waiting clients connected a second once there is a primary.
    pub dial_rate: u32,
    /// Connections to the primary that may be under way at once, from the dial to the greeting.
    pub dial_concurrency: usize,
    /// How long sessions of a primary that was replaced may finish their transactions.
    pub drain_timeout: Duration,
    /// The account for the barrier and the drain. None: both are left out.
    pub monitor: Option<MonitorAccount>,
    /// How long a new primary may take to have every write acknowledged before it.
    pub barrier_timeout: Duration,
    /// What to do with a new primary that did not pass the barrier in time.
    pub barrier_fallback: BarrierFallback,
    /// Whether servers are told the client's address.
    pub proxy_protocol: ProxyProtocol,
    /// Addresses that must begin with a PROXY header. Empty: none may.
    pub accept_proxy_protocol: Vec<capitana_core::AllowRule>,
    /// Addresses of this host to connect to servers from. Empty: the system chooses.
    pub source_addresses: Vec<std::net::IpAddr>,
    /// How long a peer may take no data. None: as long as it lives.
    pub stall_timeout: Option<Duration>,
    /// Relay threads. None: one a core.
    pub threads: Option<usize>,
}

/// The account with which the proxy asks servers about its sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorAccount {
    /// Its name.
    pub user: String,
    /// Its password. None: it has none.
    pub password: Option<Secret>,
}

/// Whether and how servers are told the client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyProtocol {
    /// They are not.
    Off,
    /// By a header of one line of text.
    V1,
    /// By a binary header.
    V2,
}

/// Settings of `capitana agent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentConfig {
    /// What is shared with the proxy.
    pub common: CommonConfig,
    /// The local MariaDB.
    pub server: ServerAddress,
    /// The monitoring account.
    pub user: String,
    /// The monitoring account's password. None: it has none.
    pub password: Option<Secret>,
    /// What is written into the znode for proxies to connect to.
    pub advertise: capitana_core::HostPort,
    /// Time between two checks.
    pub poll_interval: Duration,
    /// How long one check may take before it counts as failed.
    pub check_timeout: Duration,
    /// Failed checks in a row that make a fit server unfit.
    pub fall: u32,
    /// Passed checks in a row that make an unfit server fit.
    pub rise: u32,
    /// Whether a donor (`wsrep_local_state` 2) may lead.
    pub available_when_donor: bool,
    /// Whether the server is a Galera node.
    pub galera: GaleraMode,
    /// Whether checks commit a row.
    pub canary: bool,
    /// How the server is fenced.
    pub fence: FenceMode,
    /// Whether the other agents are asked before it is.
    pub fence_quorum: bool,
    /// Where the agent keeps what it must know after a restart.
    pub state_directory: PathBuf,
    /// Whether this node should lead only if nobody else can.
    pub priority: Priority,
    /// How long a node of low priority waits before it registers.
    pub rejoin_delay: Duration,
    /// This node's share of sessions that are spread. 0: none.
    pub weight: u32,
}

/// Whether the agent's server is a Galera node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GaleraMode {
    /// The server is asked: one without a wsrep provider is an ordinary server.
    Auto,
    /// It is, and one that does not replicate is unfit.
    On,
    /// It is not: what Galera says of itself is not looked at.
    Off,
}

/// How a server is kept from taking writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FenceMode {
    /// It is not.
    Off,
    /// By `read_only=ON`.
    ReadOnly,
    /// By `wsrep_reject_queries=ALL`.
    Reject,
}

impl FenceMode {
    /// The means, if it is.
    #[must_use]
    pub fn means(self) -> Option<capitana_core::grants::Fence> {
        match self {
            Self::Off => None,
            Self::ReadOnly => Some(capitana_core::grants::Fence::ReadOnly),
            Self::Reject => Some(capitana_core::grants::Fence::Reject),
        }
    }
}

/// When a node should lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// When its turn comes.
    Normal,
    /// Only if nobody else can.
    Low,
}

/// Who may do what with a znode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ZooKeeperAcl {
    /// Everybody may do everything.
    Open,
    /// Who created it may do everything, everybody else may read.
    CreatorAndRead,
    /// Who created it may do everything, nobody else anything.
    Creator,
}

/// How the agent reaches its MariaDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerAddress {
    /// Over TCP.
    Tcp(capitana_core::HostPort),
    /// Over a unix socket.
    Unix(PathBuf),
}
