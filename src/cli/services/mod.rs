//! `capitana services`: the running processes as they stand in ZooKeeper, once or at each change, as a table, as JSON or
//! through a template. How a file is kept is in `watch` and `file`; what the list means is in `capitana_core::services`.

mod file;
mod form;
pub(super) mod table;
mod watch;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use capitana_core::services::rendering::Pace;
use clap::{ArgMatches, Args};

use super::election::{ElectionArgs, From};
use super::wait::block_on;
use crate::config::value::Text;
use crate::config::words::Period;
use crate::error::{Error, Origin};
use file::Target;
use form::Form;
use watch::Job;

pub(super) const EXAMPLES: &str = "\
Examples:
  capitana services --zookeeper zk1:2181
  capitana services proxy --zookeeper zk1:2181 --json
  capitana services proxy --zookeeper zk1:2181 --watch --template /etc/capitana/icinga.j2 \\
      --out /etc/icinga2/conf.d/capitana.conf --exec 'systemctl reload icinga2'

Without --watch the list is printed, or written, once. With it this goes on until it is ended: the
file is written when the list changes, whole or not at all, and stays as it is while ZooKeeper does
not answer and while the template has a mistake.";

/// What `capitana services` is asked.
#[derive(Debug, Args)]
pub struct ServicesArgs {
    /// Only this kind: proxy, agent, worker [default: all]
    #[arg(value_name = "KIND")]
    kind: Option<String>,

    #[command(flatten)]
    election: ElectionArgs,

    /// Print JSON instead of a table
    #[arg(long, conflicts_with = "template")]
    json: bool,

    /// Print what this template (Jinja) makes of the list
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,

    /// Write it into this file instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Go on, and print or write it again whenever the list changes
    #[arg(long)]
    watch: bool,

    /// Run this in a shell whenever the file has changed; CAPITANA_OUT names the file
    #[arg(long, value_name = "COMMAND", requires = "out", requires = "watch")]
    exec: Option<String>,

    /// Run the command again after this time if it has failed [default: not before the next change]
    #[arg(long, value_name = "DURATION", requires = "exec")]
    exec_retry: Option<Text<Period>>,

    /// The least time between two changes of the file
    #[arg(long, value_name = "DURATION", default_value = "1s", requires = "watch")]
    min_interval: Text<Duration>,
}

impl ServicesArgs {
    /// Prints or writes the list, once or until the process is ended.
    ///
    /// # Errors
    /// The settings are wrong, ZooKeeper does not answer, or the list cannot be printed or written.
    pub fn run(&self, matches: &ArgMatches, out: &mut dyn Write) -> Result<(), Error> {
        let known = self.election.known(matches)?;
        let From::Election(election) = known.from else {
            let problem =
                "with a fixed primary there is no ZooKeeper, and no list of services: name ZooKeeper";
            return Err(Error::Setting {
                origin: Origin::Unset("zookeeper".to_owned()),
                problem: problem.to_owned(),
            });
        };
        self.check_kind()?;
        let target = Target::new(self.out.clone());
        if self.watch {
            return block_on(watch::run(&election, self.job(target), out))?;
        }
        let services = block_on(election.services(self.kind.as_deref(), known.timeout))??;
        let content = self.form().make(&services).map_err(Error::Template)?;
        target.put(&content, out).map(drop)
    }

    fn job(&self, target: Target) -> Job {
        Job {
            kind: self.kind.clone(),
            form: self.form(),
            target,
            command: self.exec.clone(),
            pace: Pace {
                interval: self.min_interval.value,
                retry: self.exec_retry.as_ref().map(|text| text.value.0),
            },
        }
    }

    fn form(&self) -> Form {
        match &self.template {
            Some(path) => Form::Template(path.clone()),
            None if self.json => Form::Json,
            None => Form::Table,
        }
    }

    /// A kind is one name in a znode's path.
    fn check_kind(&self) -> Result<(), Error> {
        match &self.kind {
            Some(kind) if kind.is_empty() || kind.contains('/') || kind == "." || kind == ".." => {
                Err(Error::Usage(format!("\"{kind}\" is no kind of service: proxy, agent, worker")))
            }
            _ => Ok(()),
        }
    }
}
