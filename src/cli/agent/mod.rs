//! `capitana agent`: the daemon's settings, and the orders to one that runs on this host, which is found by the same
//! settings. Running the daemon is `main`'s, carrying an order out the daemon's.

mod drained;
mod order;

use std::io::Write;
use std::time::Duration;

use clap::{ArgMatches, Args};

use super::wait::block_on;
use crate::agent::Server;
use crate::config::AgentConfig;
use crate::config::load::{DaemonArgs, load};
use crate::config::settings::AgentSettings;
use crate::config::value::Text;
use crate::config::words::Period;
use crate::error::Error;
use drained::Drained;

pub(super) const EXAMPLES: &str = "\
Examples:
  capitana agent --zookeeper zk1:2181,zk2:2181,zk3:2181 --advertise db1.internal
  CAPITANA_PASSWORD_FILE=/etc/capitana/password capitana agent --config /etc/capitana/agent.toml
  capitana agent --config /etc/capitana/agent.toml --step-down --wait 60s    (then upgrade MariaDB)
  capitana agent --config /etc/capitana/agent.toml --rejoin

SIGTERM gives the place in the election up first, so that the next server takes over at once.";

/// What `capitana agent` is asked.
#[derive(Debug, Args)]
pub struct AgentArgs {
    #[command(flatten)]
    daemon: DaemonArgs<AgentSettings>,
    #[command(flatten)]
    order: OrderArgs,
}

/// An order to the agent that runs on this host.
#[derive(Debug, Clone, Args)]
pub struct OrderArgs {
    /// Have the agent that runs on this host leave the election, and stay out until --rejoin or its restart
    #[arg(long, help_heading = "Orders to the running agent")]
    step_down: bool,

    /// After that, wait so long for the last client session on the server to end; exit code 75 if one is left
    #[arg(long, value_name = "DURATION", requires = "step_down")]
    #[arg(help_heading = "Orders to the running agent")]
    wait: Option<Text<Period>>,

    /// Have the agent that runs on this host be a candidate again, at the end of the line
    #[arg(long, conflicts_with_all = ["step_down", "wait"], help_heading = "Orders to the running agent")]
    rejoin: bool,
}

impl AgentArgs {
    /// The order, if this is one and not the daemon's start.
    pub(super) fn into_order(self) -> Option<OrderArgs> {
        (self.order.step_down || self.order.rejoin).then_some(self.order)
    }
}

impl OrderArgs {
    /// Gives the order, says on `out` what became of it, and on `progress` what is waited for.
    ///
    /// # Errors
    /// No agent answers, it refuses, ZooKeeper has not confirmed, or sessions are left when the time is over.
    pub fn run(
        &self,
        matches: &ArgMatches,
        out: &mut dyn Write,
        progress: &mut dyn Write,
    ) -> Result<(), Error> {
        let config = load::<AgentSettings>(matches)?.config;
        block_on(async {
            if self.rejoin {
                return order::rejoin(&config, out).await;
            }
            match &self.wait {
                Some(limit) => step_down_and_wait(&config, limit.value.0, out, progress).await,
                None => order::step_down(&config, out).await,
            }
        })?
    }
}

/// Whether the wait is possible is seen first: a server that cannot be asked is better known before anything is done.
async fn step_down_and_wait(
    config: &AgentConfig,
    limit: Duration,
    out: &mut dyn Write,
    progress: &mut dyn Write,
) -> Result<(), Error> {
    let mut drained = Drained::connect(&Server::new(config)?, config).await?;
    order::step_down(config, out).await?;
    drained.wait(limit, progress).await?;
    writeln!(out, "drained: no client session is left").map_err(Error::Output)
}
