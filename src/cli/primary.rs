//! `capitana primary`: where the primary is, for scripts.

use std::io::Write;

use capitana_core::HostPort;
use clap::{ArgMatches, Args};

use super::election::{Election, ElectionArgs, From};
use super::wait::block_on;
use crate::error::Error;

pub(super) const EXAMPLES: &str = "\
Examples:
  capitana primary --zookeeper zk1:2181,zk2:2181,zk3:2181
  capitana primary --config /etc/capitana/proxy.toml

Prints HOST:PORT and exits with 0. Without a primary it exits with 75, and with 69 if ZooKeeper
does not answer.";

/// What `capitana primary` is asked.
#[derive(Debug, Args)]
pub struct PrimaryArgs {
    #[command(flatten)]
    election: ElectionArgs,
}

impl PrimaryArgs {
    /// Prints the primary's `host:port`.
    ///
    /// # Errors
    /// There is none, or ZooKeeper does not answer.
    pub fn run(&self, matches: &ArgMatches, out: &mut dyn Write) -> Result<(), Error> {
        let known = self.election.known(matches)?;
        let primary = match known.from {
            From::Fixed(primary) => primary,
            From::Election(election) => {
                let reading = block_on(election.read(known.timeout))??;
                first(&election, &reading.view)?
            }
        };
        writeln!(out, "{primary}").map_err(Error::Output)
    }
}

fn first(election: &Election, view: &capitana_core::View) -> Result<HostPort, Error> {
    let first = view.members.first().map(|member| member.upstream.clone());
    first.ok_or_else(|| Error::NoPrimary { election_path: election.path.clone() })
}
