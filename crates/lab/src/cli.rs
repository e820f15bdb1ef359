//! Owns the command line of `lab`.

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand};

/// A MariaDB Galera cluster, ZooKeeper, capitana's agents and proxies on this machine, to look at and to break.
#[derive(Debug, Parser)]
#[command(name = "lab", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring a lab up, say what to type, and end it all at Ctrl-C.
    Up(Size),
    /// Bring the same lab up, stop the primary under a writer and watch the writer follow; exit status 0 or 1.
    DemoCheck,
    /// Run a scenario, or `all`; exit status 0 when it passes, 1 when it does not.
    Scenario(ScenarioArgs),
    /// Run a mixed load with failovers for as long as you like: does what the proxy holds grow? Exit status 0 or 1.
    Soak(SoakArgs),
    /// Run a benchmark, or `all`, beside a direct connection and the peers that are installed.
    Bench(BenchArgs),
    /// The relay that benchmarks call the floor, which they start.
    #[command(hide = true)]
    Floor(FloorArgs),
    /// The load of the benchmark `instructions`, in its emulated machine.
    #[command(hide = true)]
    EmulatedLoad,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct FloorArgs {
    /// Where it accepts.
    pub(crate) address: SocketAddr,
    /// Where it connects.
    pub(crate) upstream: SocketAddr,
    /// One thread of tokio's in place of a bare one for each core.
    #[arg(long)]
    pub(crate) on_tokio: bool,
}

/// How much of what.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Size {
    /// MariaDB Galera nodes, each with an agent.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub(crate) nodes: u8,
    /// ZooKeeper servers: 1 or 3.
    #[arg(long, default_value_t = 1, value_parser = ensemble)]
    pub(crate) zookeepers: u8,
    /// capitana proxies.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub(crate) proxies: u8,
}

impl Default for Size {
    fn default() -> Self {
        Self { nodes: 3, zookeepers: 1, proxies: 2 }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ScenarioArgs {
    /// Its name; `all` runs every one and prints a table.
    #[arg(required_unless_present = "list")]
    pub(crate) name: Option<String>,
    /// List the scenarios.
    #[arg(long)]
    pub(crate) list: bool,
    /// Print one JSON object on standard output, and everything else on standard error.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SoakArgs {
    /// How long, in minutes.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) minutes: u64,
    /// Print one JSON object on standard output, and everything else on standard error.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Its name; `all` runs every one.
    #[arg(required_unless_present = "list")]
    pub(crate) name: Option<String>,
    /// List the benchmarks.
    #[arg(long)]
    pub(crate) list: bool,
    /// Print one JSON object a benchmark on standard output, and everything else on standard error.
    #[arg(long)]
    pub(crate) json: bool,
    /// Rounds that count.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rounds: u16,
    /// How long one leg lasts, in seconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
    /// What the order of the legs is drawn from; drawn itself when not given.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Only the cases with so many clients, where there are several.
    #[arg(long, value_delimiter = ',')]
    pub(crate) clients: Vec<usize>,
    /// One more peer: `envoy`, which has to be on the PATH, or `floor`, a relay that does nothing but relay.
    #[arg(long)]
    pub(crate) peer: Vec<String>,
}

fn ensemble(value: &str) -> Result<u8, String> {
    match value {
        "1" => Ok(1),
        "3" => Ok(3),
        other => Err(format!("an ensemble has 1 or 3 servers here, not {other}")),
    }
}
