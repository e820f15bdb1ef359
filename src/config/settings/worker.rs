//! The settings of the worker alone.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use clap::ArgAction;
use clap::builder::BoolishValueParser;

use crate::config::RestartChoice;
use crate::config::value::Text;
use crate::config::words::{Name, ZnodePath};

settings! {
    /// Settings of the worker.
    pub struct WorkerSettings {
        /// The worker's name, the same on every host: the line is /workers/NAME
        #[arg(env = "CAPITANA_NAME", value_name = "NAME")]
        restart name: Option<Text<Name>>,

        /// How many of them run at once
        #[arg(env = "CAPITANA_COUNT", value_name = "COUNT", default_value = "1")]
        restart count: Text<NonZeroUsize>,

        /// Whether this one runs only while no other of its name does, whatever their count
        #[arg(env = "CAPITANA_EXCLUSIVE", value_name = "BOOL", default_value = "false")]
        #[arg(action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        #[arg(value_parser = BoolishValueParser::new())]
        restart exclusive: bool,

        /// When the command is run again after it has ended
        #[arg(env = "CAPITANA_RESTART", value_name = "CHOICE", default_value = "always")]
        restart restart: RestartChoice,

        /// After so many failures in a row the place is given up, so that another host tries [default: never]
        #[arg(env = "CAPITANA_GIVE_UP_AFTER", value_name = "COUNT")]
        restart give_up_after: Option<Text<NonZeroU32>>,

        /// How long the command may take to end after SIGTERM, before SIGKILL
        #[arg(env = "CAPITANA_GRACE", value_name = "DURATION", default_value = "10s")]
        restart grace: Text<Duration>,

        /// Hold this one znode in place of a place in line: a plain lock, shared with programs that create it ephemerally
        #[arg(env = "CAPITANA_LOCK", value_name = "ZNODE")]
        restart lock: Option<Text<ZnodePath>>,
    }
}
