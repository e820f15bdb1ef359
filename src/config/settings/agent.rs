//! The settings of the agent alone.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgAction;
use clap::builder::BoolishValueParser;

use crate::config::value::Text;
use crate::config::words::{Advertised, Name, Period};
use crate::config::{FenceMode, GaleraMode, Priority, ServerAddress};

settings! {
    /// Settings of the agent.
    pub struct AgentSettings {
        /// The local MariaDB: host:port, or the path of its unix socket
        #[arg(env = "CAPITANA_SERVER", value_name = "ADDRESS", default_value = "127.0.0.1:3306")]
        restart server: Text<ServerAddress>,

        /// The account with which the server is checked; it needs no privilege but for the canary, for `fence` and for `--step-down --wait`
        #[arg(env = "CAPITANA_USER", value_name = "NAME", default_value = "capitana")]
        restart user: Text<Name>,

        /// A file that holds the account's password, for the agent's user only [default: no password]
        #[arg(env = "CAPITANA_PASSWORD_FILE", value_name = "FILE")]
        restart password_file: Option<PathBuf>,

        /// What the proxies connect to [default: this host's name, with the server's port]
        #[arg(env = "CAPITANA_ADVERTISE", value_name = "HOST[:PORT]")]
        restart advertise: Option<Text<Advertised>>,

        /// Time between two checks
        #[arg(env = "CAPITANA_POLL_INTERVAL", value_name = "DURATION", default_value = "1s")]
        live poll_interval: Text<Period>,

        /// How long one check may take before it counts as failed
        #[arg(env = "CAPITANA_CHECK_TIMEOUT", value_name = "DURATION", default_value = "1s")]
        live check_timeout: Text<Period>,

        /// Failed checks in a row that make a fit server unfit
        #[arg(env = "CAPITANA_FALL", value_name = "COUNT", default_value = "2")]
        live fall: Text<NonZeroU32>,

        /// Passed checks in a row that make an unfit server fit
        #[arg(env = "CAPITANA_RISE", value_name = "COUNT", default_value = "2")]
        live rise: Text<NonZeroU32>,

        /// Whether a donor, which feeds another node its data, may lead
        #[arg(env = "CAPITANA_AVAILABLE_WHEN_DONOR", value_name = "BOOL", default_value = "false")]
        #[arg(action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        #[arg(value_parser = BoolishValueParser::new())]
        live available_when_donor: bool,

        /// Whether the server is a Galera node: `auto` takes one without the wsrep provider for an ordinary server
        #[arg(env = "CAPITANA_GALERA", value_name = "CHOICE", default_value = "auto")]
        restart galera: GaleraMode,

        /// Whether each check also commits a row of the agent's own, so that a server that cannot commit is noticed
        #[arg(env = "CAPITANA_CANARY", value_name = "BOOL", default_value = "true")]
        #[arg(action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        #[arg(value_parser = BoolishValueParser::new())]
        live canary: bool,

        /// How a server is kept from taking writes when its agent is cut off from ZooKeeper
        #[arg(help_heading = "Fencing", env = "CAPITANA_FENCE", value_name = "CHOICE", default_value = "off")]
        restart fence: FenceMode,

        /// Whether the other agents are asked first, so that nobody is fenced because ZooKeeper as a whole is down
        #[arg(help_heading = "Fencing", env = "CAPITANA_FENCE_QUORUM", value_name = "BOOL", default_value = "true")]
        #[arg(action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        #[arg(value_parser = BoolishValueParser::new())]
        live fence_quorum: bool,

        /// Where the agent keeps what it must know after a restart: who it is, its session, a fence it has set
        #[arg(env = "CAPITANA_STATE_DIRECTORY", value_name = "DIRECTORY", default_value = "/var/lib/capitana")]
        restart state_directory: PathBuf,

        /// `low`: a node that should lead only if nobody else can; it waits `rejoin-delay` before it registers
        #[arg(env = "CAPITANA_PRIORITY", value_name = "CHOICE", default_value = "normal")]
        live priority: Priority,

        /// How long a node of low priority waits before it registers
        #[arg(env = "CAPITANA_REJOIN_DELAY", value_name = "DURATION", default_value = "30s")]
        live rejoin_delay: Text<Duration>,

        /// This node's share of the sessions that are spread over several nodes; 0: it gets none
        #[arg(env = "CAPITANA_WEIGHT", value_name = "COUNT", default_value = "100")]
        restart weight: Text<u32>,
    }
}
