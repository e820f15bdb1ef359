//! The definition of every setting, once: its name here gives the TOML key (`hold-timeout`), the flag
//! (`--hold-timeout`) and the environment variable (`CAPITANA_HOLD_TIMEOUT`); its text is the help.
//! What both daemons have in common is here, their own settings are in `proxy` and `agent`. What the values mean
//! together is checked in `resolve`.
//!
//! A word before each name says when a change takes effect: `live`, `host` or `restart`, as in `Change`.

use std::net::SocketAddr;
use std::path::PathBuf;

use capitana_core::HostPort;
use clap::ArgAction;
use clap::builder::BoolishValueParser;

use super::source::Source;
use super::value::Text;
use super::words::{ConfigPath, Ensemble, LogFilter, Name, SessionTimeout, ZnodePath};
use super::{LogFormat, ZooKeeperAcl};
use crate::error::Error;

pub use agent::AgentSettings;
pub use proxy::ProxySettings;
pub use worker::WorkerSettings;

/// When a change of a setting takes effect, and whether ZooKeeper may say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// While the daemon runs: from its file on SIGHUP, from ZooKeeper at once.
    Live,
    /// While the daemon runs, from its file on SIGHUP. It names something of one host, or is carried out with the rights
    /// of clients: who may write to ZooKeeper must not say it.
    Host,
    /// At the next start, which comes before ZooKeeper has been read: so ZooKeeper may not say it.
    Restart,
}

/// Settings that are read together. clap has filled in flags, environment and defaults.
pub trait Group: clap::Args {
    /// Takes from the settings file what neither a flag nor the environment has said.
    ///
    /// # Errors
    /// A value in the file that cannot be used.
    fn fill(&mut self, source: &Source<'_>) -> Result<(), Error>;

    /// Every setting's identifier and value; none where it is unset.
    fn values(&self) -> Vec<(&'static str, Option<toml::Value>)>;

    /// Every setting's identifier, and when a change of it takes effect.
    fn changes() -> Vec<(&'static str, Change)>;

    /// Takes from `running` what can change only at a start. Answers the identifiers of those that were different.
    fn keep_from(&mut self, running: &Self) -> Vec<&'static str>;
}

/// Writes a group as a struct for clap, and reads the same fields from a settings file.
macro_rules! settings {
    (
        $(#[$about:meta])*
        pub struct $group:ident { $( $(#[$rule:meta])* $change:ident $field:ident: $type:ty, )* }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, clap::Args)]
        pub struct $group {
            $(
                $(#[$rule])*
                #[arg(long, hide_env_values = true)]
                pub $field: $type,
            )*
        }

        impl $crate::config::settings::Group for $group {
            fn fill(
                &mut self,
                source: &$crate::config::source::Source<'_>,
            ) -> Result<(), $crate::error::Error> {
                $( if let Some(value) = source.value(stringify!($field))? { self.$field = value; } )*
                Ok(())
            }

            fn values(&self) -> Vec<(&'static str, Option<toml::Value>)> {
                vec![ $( (stringify!($field), toml::Value::try_from(&self.$field).ok()) ),* ]
            }

            fn changes() -> Vec<(&'static str, $crate::config::settings::Change)> {
                vec![ $( (stringify!($field), change!($change)) ),* ]
            }

            fn keep_from(&mut self, running: &Self) -> Vec<&'static str> {
                let mut different = Vec::new();
                $(
                    if change!($change) == $crate::config::settings::Change::Restart
                        && toml::Value::try_from(&self.$field).ok() != toml::Value::try_from(&running.$field).ok()
                    {
                        different.push(stringify!($field));
                        self.$field.clone_from(&running.$field);
                    }
                )*
                different
            }
        }
    };
}

/// The word before a setting's name.
macro_rules! change {
    (live) => {
        $crate::config::settings::Change::Live
    };
    (host) => {
        $crate::config::settings::Change::Host
    };
    (restart) => {
        $crate::config::settings::Change::Restart
    };
}

mod agent;
mod proxy;
mod worker;

settings! {
    /// Where the election is held: for every command that reads it.
    pub struct ElectionSettings {
        /// ZooKeeper's servers and, if it has one, the chroot: `zk1:2181,zk2:2181,zk3:2181/chroot`
        #[arg(help_heading = "Election", env = "CAPITANA_ZOOKEEPER", value_name = "SERVERS")]
        restart zookeeper: Option<Text<Ensemble>>,

        /// The znode whose children are the candidates; the oldest is the primary
        #[arg(help_heading = "Election")]
        #[arg(env = "CAPITANA_ELECTION_PATH", value_name = "ZNODE", default_value = "/mariadb/primary")]
        restart election_path: Text<ZnodePath>,

        /// Where settings for all daemons are kept in ZooKeeper, as ZNODE/proxy and ZNODE/agent; `off`: they are not looked at
        #[arg(help_heading = "Election")]
        #[arg(env = "CAPITANA_CONFIG_PATH", value_name = "ZNODE", default_value = "/capitana/config")]
        restart config_path: Text<ConfigPath>,

        /// The znode below which the running processes are, by kind
        #[arg(help_heading = "Election")]
        #[arg(env = "CAPITANA_SERVICES_PATH", value_name = "ZNODE", default_value = "/services")]
        restart services_path: Text<ZnodePath>,

        /// A file with `user:password`, with which ZooKeeper is told who this is (digest); or the environment variable
        /// CAPITANA_ZOOKEEPER_AUTH with the same [default: nobody]
        #[arg(help_heading = "Election", env = "CAPITANA_ZOOKEEPER_AUTH_FILE", value_name = "FILE")]
        restart zookeeper_auth_file: Option<PathBuf>,

        /// Whether ZooKeeper is reached over TLS (its secureClientPort)
        #[arg(help_heading = "Election", env = "CAPITANA_ZOOKEEPER_TLS", value_name = "BOOL", default_value = "false")]
        #[arg(action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        #[arg(value_parser = BoolishValueParser::new())]
        restart zookeeper_tls: bool,

        /// The certificates (PEM) of those who may have signed ZooKeeper's [default: the authorities of the web]
        #[arg(help_heading = "Election", env = "CAPITANA_ZOOKEEPER_CA_FILE", value_name = "FILE")]
        restart zookeeper_ca_file: Option<PathBuf>,

        /// The certificate (PEM) to show to ZooKeeper [default: none]
        #[arg(help_heading = "Election", env = "CAPITANA_ZOOKEEPER_CERTIFICATE_FILE", value_name = "FILE")]
        restart zookeeper_certificate_file: Option<PathBuf>,

        /// That certificate's private key (PEM), for this program's user only
        #[arg(help_heading = "Election", env = "CAPITANA_ZOOKEEPER_KEY_FILE", value_name = "FILE")]
        restart zookeeper_key_file: Option<PathBuf>,
    }
}

settings! {
    /// What the proxy and the agent have in common beside the election.
    pub struct DaemonSettings {
        /// How long ZooKeeper keeps a silent session: the time until a dead machine loses its candidacy
        #[arg(help_heading = "Election")]
        #[arg(env = "CAPITANA_ZOOKEEPER_SESSION_TIMEOUT", value_name = "DURATION", default_value = "6s")]
        restart zookeeper_session_timeout: Text<SessionTimeout>,

        /// Who may do what with the znodes this process creates [default: creator-and-read with zookeeper-auth-file,
        /// open without]
        #[arg(help_heading = "Election", env = "CAPITANA_ZOOKEEPER_ACL", value_name = "CHOICE")]
        restart zookeeper_acl: Option<ZooKeeperAcl>,

        /// This node's name, for people [default: this host's name]
        #[arg(help_heading = "Admin endpoint and log", env = "CAPITANA_NODE_NAME", value_name = "NAME")]
        restart node_name: Option<Text<Name>>,

        /// Where /metrics, /healthz, /readyz and /status are served [default: 127.0.0.1:9307 for the proxy,
        /// 127.0.0.1:9308 for the agent, nowhere for a worker]
        #[arg(help_heading = "Admin endpoint and log", env = "CAPITANA_ADMIN_LISTEN", value_name = "ADDRESS")]
        restart admin_listen: Option<Text<SocketAddr>>,

        /// Where others reach the admin endpoint: agents that fence ask there, and Prometheus is told of it [default:
        /// admin-listen, if that is an address other hosts can reach]
        #[arg(help_heading = "Admin endpoint and log", env = "CAPITANA_ADMIN_ADVERTISE", value_name = "HOST:PORT")]
        restart admin_advertise: Option<Text<HostPort>>,

        /// How log lines look
        #[arg(help_heading = "Admin endpoint and log")]
        #[arg(env = "CAPITANA_LOG_FORMAT", value_name = "FORMAT", default_value = "human")]
        restart log_format: LogFormat,

        /// What is logged: a level, or directives such as `info,capitana::proxy=debug`
        #[arg(help_heading = "Admin endpoint and log")]
        #[arg(env = "CAPITANA_LOG_LEVEL", value_name = "FILTER", default_value = "info")]
        live log_level: Text<LogFilter>,
    }
}
