//! The settings of the proxy alone.

use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use capitana_core::{AllowRule, HostPort};

use crate::config::choices::{ListenOrOff, Sql};
use crate::config::value::Text;
use crate::config::words::{Name, Period};
use crate::config::{BarrierFallback, InitSqlEncrypted, ProxyProtocol, ReplicaFallback};

settings! {
    /// Settings of the proxy.
    pub struct ProxySettings {
        /// Accept clients on this address; may be given several times
        #[arg(env = "CAPITANA_LISTEN", value_name = "ADDRESS", value_delimiter = ',', default_value = "0.0.0.0:3306")]
        restart listen: Vec<Text<SocketAddr>>,

        /// Accept clients that only read on this address, and lead them to the replicas; may be given several times; `off`:
        /// nowhere, and so with a fixed primary
        #[arg(help_heading = "Replicas", env = "CAPITANA_REPLICA_LISTEN", value_name = "ADDRESS")]
        #[arg(value_delimiter = ',', default_value = "0.0.0.0:3307")]
        restart replica_listen: Vec<Text<ListenOrOff>>,

        /// Who serves the clients of `replica-listen` while there is no replica
        #[arg(help_heading = "Replicas")]
        #[arg(env = "CAPITANA_REPLICA_FALLBACK", value_name = "CHOICE", default_value = "primary")]
        live replica_fallback: ReplicaFallback,

        /// The longest receive queue, in write sets, of a node that serves as a replica [default: any]
        #[arg(help_heading = "Replicas", env = "CAPITANA_MAX_LAG", value_name = "COUNT")]
        live max_lag: Option<Text<usize>>,

        /// A statement that each session of `replica-listen` begins with, such as `SET SESSION wsrep_sync_wait=1`
        /// [default: none]
        #[arg(help_heading = "First statements", env = "CAPITANA_REPLICA_INIT_SQL", value_name = "SQL")]
        host replica_init_sql: Option<Text<Sql>>,

        /// The same for each session of `listen` [default: none]
        #[arg(help_heading = "First statements", env = "CAPITANA_INIT_SQL", value_name = "SQL")]
        host init_sql: Option<Text<Sql>>,

        /// What becomes of a session with TLS, into which nobody can put a first statement
        #[arg(help_heading = "First statements")]
        #[arg(env = "CAPITANA_INIT_SQL_ENCRYPTED", value_name = "CHOICE", default_value = "refuse")]
        live init_sql_encrypted: InitSqlEncrypted,

        /// A fixed primary instead of an election, for a laptop or a test
        #[arg(env = "CAPITANA_PRIMARY", value_name = "HOST:PORT")]
        restart primary: Option<Text<HostPort>>,

        /// Connect only to these: a network (10.0.0.0/8), a host name or *.domain; may be given several times
        /// [default: any]
        #[arg(env = "CAPITANA_ALLOW_UPSTREAMS", value_name = "RULE", value_delimiter = ',')]
        restart allow_upstreams: Vec<Text<AllowRule>>,

        /// How long a new client is kept waiting while there is no primary
        #[arg(env = "CAPITANA_HOLD_TIMEOUT", value_name = "DURATION", default_value = "8s")]
        live hold_timeout: Text<Period>,

        /// How many clients may be kept waiting at once; 0: none is, they get an error
        #[arg(env = "CAPITANA_MAX_HELD", value_name = "COUNT", default_value = "10000")]
        restart max_held: Text<usize>,

        /// How many clients each listener serves at once [default: as many as file descriptors allow]
        #[arg(env = "CAPITANA_MAX_CONNECTIONS", value_name = "COUNT")]
        restart max_connections: Option<Text<NonZeroUsize>>,

        /// How long one attempt to connect to the primary may take
        #[arg(env = "CAPITANA_DIAL_TIMEOUT", value_name = "DURATION", default_value = "2s")]
        live dial_timeout: Text<Period>,

        /// How long the MySQL handshake may take
        #[arg(env = "CAPITANA_HANDSHAKE_TIMEOUT", value_name = "DURATION", default_value = "10s")]
        live handshake_timeout: Text<Period>,

        /// How long open sessions may go on after SIGTERM
        #[arg(env = "CAPITANA_SHUTDOWN_TIMEOUT", value_name = "DURATION", default_value = "30s")]
        live shutdown_timeout: Text<Duration>,

        /// How many clients one address may have connected at once, on each listener [default: no limit]
        #[arg(env = "CAPITANA_MAX_CONNECTIONS_PER_CLIENT", value_name = "COUNT")]
        restart max_connections_per_client: Option<Text<NonZeroUsize>>,

        /// How many sessions one server gets from this proxy at once; more wait [default: no limit]
        #[arg(env = "CAPITANA_MAX_UPSTREAM_CONNECTIONS", value_name = "COUNT")]
        restart max_upstream_connections: Option<Text<NonZeroUsize>>,

        /// How many waiting clients are connected a second once there is a primary
        #[arg(env = "CAPITANA_DIAL_RATE", value_name = "COUNT", default_value = "1000")]
        restart dial_rate: Text<NonZeroU32>,

        /// How many connections to the primary may be under way at once, from the dial to the greeting
        #[arg(env = "CAPITANA_DIAL_CONCURRENCY", value_name = "COUNT", default_value = "64")]
        restart dial_concurrency: Text<NonZeroUsize>,

        /// How long sessions of a primary that was replaced may finish their transactions
        #[arg(env = "CAPITANA_DRAIN_TIMEOUT", value_name = "DURATION", default_value = "30s")]
        live drain_timeout: Text<Duration>,

        /// The account for the barrier and the drain, on every server; it needs the PROCESS privilege
        /// [default: none, so that both are left out]
        #[arg(env = "CAPITANA_MONITOR_USER", value_name = "NAME")]
        live monitor_user: Option<Text<Name>>,

        /// A file that holds that account's password, for the proxy's user only [default: no password]
        #[arg(env = "CAPITANA_MONITOR_PASSWORD_FILE", value_name = "FILE")]
        host monitor_password_file: Option<PathBuf>,

        /// How long a new primary may take to have every write acknowledged before it
        #[arg(env = "CAPITANA_BARRIER_TIMEOUT", value_name = "DURATION", default_value = "8s")]
        live barrier_timeout: Text<Period>,

        /// What to do with a new primary that did not pass the barrier in time
        #[arg(env = "CAPITANA_BARRIER_FALLBACK", value_name = "CHOICE", default_value = "open")]
        live barrier_fallback: BarrierFallback,

        /// Whether servers are told the client's address by a PROXY header (proxy_protocol_networks)
        #[arg(env = "CAPITANA_PROXY_PROTOCOL", value_name = "VERSION", default_value = "off")]
        restart proxy_protocol: ProxyProtocol,

        /// Addresses that must begin with a PROXY header, such as those of a load balancer in front; may be given
        /// several times [default: none]
        #[arg(env = "CAPITANA_ACCEPT_PROXY_PROTOCOL", value_name = "NETWORK", value_delimiter = ',')]
        restart accept_proxy_protocol: Vec<Text<AllowRule>>,

        /// Connect to servers from these addresses of this host, each with its own ports; may be given several times
        /// [default: the system chooses]
        #[arg(env = "CAPITANA_SOURCE_ADDRESSES", value_name = "ADDRESS", value_delimiter = ',')]
        restart source_addresses: Vec<Text<IpAddr>>,

        /// How long a peer may take no data before its session ends [default: as long as it lives]
        #[arg(env = "CAPITANA_STALL_TIMEOUT", value_name = "DURATION")]
        restart stall_timeout: Option<Text<Period>>,

        /// Threads that relay [default: one a core]
        #[arg(env = "CAPITANA_THREADS", value_name = "COUNT")]
        restart threads: Option<Text<NonZeroUsize>>,
    }
}
