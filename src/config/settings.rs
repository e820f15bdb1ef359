//! The definition of every setting, once: its name here gives the TOML key (`hold-timeout`), the flag
//! (`--hold-timeout`) and the environment variable (`CAPITANA_HOLD_TIMEOUT`); its text is the help.
//! What the values mean together is checked in `resolve`.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use capitana_core::{AllowRule, HostPort};
use clap::ArgAction;
use clap::builder::BoolishValueParser;

use super::source::Source;
use super::value::Text;
use super::words::{Advertised, Ensemble, LogFilter, Name, Period, SessionTimeout, ZnodePath};
use super::{BarrierFallback, LogFormat, ProxyProtocol, ServerAddress};
use crate::error::Error;

/// Settings that are read together. clap has filled in flags, environment and defaults.
pub trait Group: clap::Args {
    /// Takes from the settings file what neither a flag nor the environment has said.
    ///
    /// # Errors
    /// A value in the file that cannot be used.
    fn fill(&mut self, source: &Source<'_>) -> Result<(), Error>;

    /// Every setting's identifier and value; none where it is unset.
    fn values(&self) -> Vec<(&'static str, Option<toml::Value>)>;
}

/// Writes a group as a struct for clap, and reads the same fields from a settings file.
macro_rules! settings {
    ($(#[$about:meta])* pub struct $group:ident { $( $(#[$rule:meta])* $field:ident: $type:ty, )* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, clap::Args)]
        pub struct $group {
            $(
                $(#[$rule])*
                #[arg(long, hide_env_values = true)]
                pub $field: $type,
            )*
        }

        impl Group for $group {
            fn fill(&mut self, source: &Source<'_>) -> Result<(), Error> {
                $( if let Some(value) = source.value(stringify!($field))? { self.$field = value; } )*
                Ok(())
            }

            fn values(&self) -> Vec<(&'static str, Option<toml::Value>)> {
                vec![ $( (stringify!($field), toml::Value::try_from(&self.$field).ok()) ),* ]
            }
        }
    };
}

settings! {
    /// Where the election is held: for every command that reads it.
    pub struct ElectionSettings {
        /// ZooKeeper's servers and, if it has one, the chroot: `zk1:2181,zk2:2181,zk3:2181/chroot`
        #[arg(help_heading = "Election", env = "CAPITANA_ZOOKEEPER", value_name = "SERVERS")]
        zookeeper: Option<Text<Ensemble>>,

        /// The znode whose children are the candidates; the oldest is the primary
        #[arg(help_heading = "Election")]
        #[arg(env = "CAPITANA_ELECTION_PATH", value_name = "ZNODE", default_value = "/mariadb/primary")]
        election_path: Text<ZnodePath>,
    }
}

settings! {
    /// What the proxy and the agent have in common beside the election.
    pub struct DaemonSettings {
        /// How long ZooKeeper keeps a silent session: the time until a dead machine loses its candidacy
        #[arg(help_heading = "Election")]
        #[arg(env = "CAPITANA_ZOOKEEPER_SESSION_TIMEOUT", value_name = "DURATION", default_value = "6s")]
        zookeeper_session_timeout: Text<SessionTimeout>,

        /// Where /metrics, /healthz, /readyz and /status are served [default: 127.0.0.1:9307 for the proxy,
        /// 127.0.0.1:9308 for the agent]
        #[arg(help_heading = "Admin endpoint and log", env = "CAPITANA_ADMIN_LISTEN", value_name = "ADDRESS")]
        admin_listen: Option<Text<SocketAddr>>,

        /// How log lines look
        #[arg(help_heading = "Admin endpoint and log")]
        #[arg(env = "CAPITANA_LOG_FORMAT", value_name = "FORMAT", default_value = "human")]
        log_format: LogFormat,

        /// What is logged: a level, or directives such as `info,capitana::proxy=debug`
        #[arg(help_heading = "Admin endpoint and log")]
        #[arg(env = "CAPITANA_LOG_LEVEL", value_name = "FILTER", default_value = "info")]
        log_level: Text<LogFilter>,
    }
}

settings! {
    /// Settings of the proxy.
    pub struct ProxySettings {
        /// Accept clients on this address; may be given several times
        #[arg(env = "CAPITANA_LISTEN", value_name = "ADDRESS", value_delimiter = ',', default_value = "0.0.0.0:3306")]
        listen: Vec<Text<SocketAddr>>,

        /// A fixed primary instead of an election, for a laptop or a test
        #[arg(env = "CAPITANA_PRIMARY", value_name = "HOST:PORT")]
        primary: Option<Text<HostPort>>,

        /// Connect only to these: a network (10.0.0.0/8), a host name or *.domain; may be given several times
        /// [default: any]
        #[arg(env = "CAPITANA_ALLOW_UPSTREAMS", value_name = "RULE", value_delimiter = ',')]
        allow_upstreams: Vec<Text<AllowRule>>,

        /// How long a new client is kept waiting while there is no primary
        #[arg(env = "CAPITANA_HOLD_TIMEOUT", value_name = "DURATION", default_value = "8s")]
        hold_timeout: Text<Period>,

        /// How many clients may be kept waiting at once; 0: none is, they get an error
        #[arg(env = "CAPITANA_MAX_HELD", value_name = "COUNT", default_value = "10000")]
        max_held: Text<usize>,

        /// How many clients each listener serves at once [default: as many as file descriptors allow]
        #[arg(env = "CAPITANA_MAX_CONNECTIONS", value_name = "COUNT")]
        max_connections: Option<Text<NonZeroUsize>>,

        /// How long one attempt to connect to the primary may take
        #[arg(env = "CAPITANA_DIAL_TIMEOUT", value_name = "DURATION", default_value = "2s")]
        dial_timeout: Text<Period>,

        /// How long the MySQL handshake may take
        #[arg(env = "CAPITANA_HANDSHAKE_TIMEOUT", value_name = "DURATION", default_value = "10s")]
        handshake_timeout: Text<Period>,

        /// How long open sessions may go on after SIGTERM
        #[arg(env = "CAPITANA_SHUTDOWN_TIMEOUT", value_name = "DURATION", default_value = "30s")]
        shutdown_timeout: Text<Duration>,

        /// How many clients one address may have connected at once, on each listener [default: no limit]
        #[arg(env = "CAPITANA_MAX_CONNECTIONS_PER_CLIENT", value_name = "COUNT")]
        max_connections_per_client: Option<Text<NonZeroUsize>>,

        /// How many sessions the primary gets from this proxy at once; more wait [default: no limit]
        #[arg(env = "CAPITANA_MAX_UPSTREAM_CONNECTIONS", value_name = "COUNT")]
        max_upstream_connections: Option<Text<NonZeroUsize>>,

        /// How many waiting clients are connected a second once there is a primary
        #[arg(env = "CAPITANA_DIAL_RATE", value_name = "COUNT", default_value = "1000")]
        dial_rate: Text<NonZeroU32>,

        /// How many connections to the primary may be under way at once, from the dial to the greeting
        #[arg(env = "CAPITANA_DIAL_CONCURRENCY", value_name = "COUNT", default_value = "64")]
        dial_concurrency: Text<NonZeroUsize>,

        /// How long sessions of a primary that was replaced may finish their transactions
        #[arg(env = "CAPITANA_DRAIN_TIMEOUT", value_name = "DURATION", default_value = "30s")]
        drain_timeout: Text<Duration>,

        /// The account for the barrier and the drain, on every server; it needs the PROCESS privilege
        /// [default: none, so that both are left out]
        #[arg(env = "CAPITANA_MONITOR_USER", value_name = "NAME")]
        monitor_user: Option<Text<Name>>,

        /// A file that holds that account's password, for the proxy's user only [default: no password]
        #[arg(env = "CAPITANA_MONITOR_PASSWORD_FILE", value_name = "FILE")]
        monitor_password_file: Option<PathBuf>,

        /// How long a new primary may take to have every write acknowledged before it
        #[arg(env = "CAPITANA_BARRIER_TIMEOUT", value_name = "DURATION", default_value = "8s")]
        barrier_timeout: Text<Period>,

        /// What to do with a new primary that did not pass the barrier in time
        #[arg(env = "CAPITANA_BARRIER_FALLBACK", value_name = "CHOICE", default_value = "open")]
        barrier_fallback: BarrierFallback,

        /// Whether servers are told the client's address by a PROXY header (proxy_protocol_networks)
        #[arg(env = "CAPITANA_PROXY_PROTOCOL", value_name = "VERSION", default_value = "off")]
        proxy_protocol: ProxyProtocol,

        /// Addresses that must begin with a PROXY header, such as those of a load balancer in front; may be given
        /// several times [default: none]
        #[arg(env = "CAPITANA_ACCEPT_PROXY_PROTOCOL", value_name = "NETWORK", value_delimiter = ',')]
        accept_proxy_protocol: Vec<Text<AllowRule>>,

        /// Threads that relay [default: one a core]
        #[arg(env = "CAPITANA_THREADS", value_name = "COUNT")]
        threads: Option<Text<NonZeroUsize>>,
    }
}

settings! {
    /// Settings of the agent.
    pub struct AgentSettings {
        /// The local MariaDB: host:port, or the path of its unix socket
        #[arg(env = "CAPITANA_SERVER", value_name = "ADDRESS", default_value = "127.0.0.1:3306")]
        server: Text<ServerAddress>,

        /// The account with which the server is checked; it needs no privilege
        #[arg(env = "CAPITANA_USER", value_name = "NAME", default_value = "capitana")]
        user: Text<Name>,

        /// A file that holds the account's password, for the agent's user only [default: no password]
        #[arg(env = "CAPITANA_PASSWORD_FILE", value_name = "FILE")]
        password_file: Option<PathBuf>,

        /// What the proxies connect to [default: this host's name, with the server's port]
        #[arg(env = "CAPITANA_ADVERTISE", value_name = "HOST[:PORT]")]
        advertise: Option<Text<Advertised>>,

        /// This node's name, for people [default: this host's name]
        #[arg(env = "CAPITANA_NODE_NAME", value_name = "NAME")]
        node_name: Option<Text<Name>>,

        /// Time between two checks
        #[arg(env = "CAPITANA_POLL_INTERVAL", value_name = "DURATION", default_value = "1s")]
        poll_interval: Text<Period>,

        /// How long one check may take before it counts as failed
        #[arg(env = "CAPITANA_CHECK_TIMEOUT", value_name = "DURATION", default_value = "1s")]
        check_timeout: Text<Period>,

        /// Failed checks in a row that make a fit server unfit
        #[arg(env = "CAPITANA_FALL", value_name = "COUNT", default_value = "2")]
        fall: Text<NonZeroU32>,

        /// Passed checks in a row that make an unfit server fit
        #[arg(env = "CAPITANA_RISE", value_name = "COUNT", default_value = "2")]
        rise: Text<NonZeroU32>,

        /// Whether a donor, which feeds another node its data, may lead
        #[arg(env = "CAPITANA_AVAILABLE_WHEN_DONOR", value_name = "BOOL", default_value = "false")]
        #[arg(action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        #[arg(value_parser = BoolishValueParser::new())]
        available_when_donor: bool,
    }
}
