//! The command line: what can be typed, and the commands of an operator's shell. The daemons' settings are defined
//! in `config::settings`; running the daemons is `main`'s.

mod agent;
mod check_config;
mod columns;
mod completions;
mod config;
mod doctor;
mod election;
mod primary;
mod proxies;
mod services;
mod status;
mod usage;
mod vip;
mod wait;
mod worker;

use std::ffi::OsString;

use clap::{ArgMatches, CommandFactory, FromArgMatches};

pub use agent::{AgentArgs, OrderArgs};
pub use check_config::CheckConfigArgs;
pub use completions::CompletionsArgs;
pub use config::ConfigArgs;
pub use doctor::DoctorArgs;
pub use primary::PrimaryArgs;
pub use services::ServicesArgs;
pub use status::StatusArgs;
pub use vip::VipArgs;
pub use worker::{GuardArgs, TaskArgs, WorkerArgs};

use crate::config::load::DaemonArgs;
use crate::config::settings::ProxySettings;
use crate::error::Error;

/// Leads MySQL clients to the elected primary of a MariaDB Galera cluster
#[derive(Debug, clap::Parser)]
#[command(name = "capitana", version, propagate_version = true, after_help = EXAMPLES)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Commands,
}

const EXAMPLES: &str = "\
Every setting has a key in the settings file, a flag and an environment variable of one name:
hold-timeout, --hold-timeout, CAPITANA_HOLD_TIMEOUT. Flags beat the environment, which beats the
file.

Example: a proxy, then an agent beside each MariaDB, then a look at both
  capitana proxy --zookeeper zk1:2181,zk2:2181,zk3:2181 --listen 0.0.0.0:3306
  capitana agent --config /etc/capitana/agent.toml
  capitana status --zookeeper zk1:2181";

#[derive(Debug, clap::Subcommand)]
enum Commands {
    /// Accept MySQL clients and lead them to the primary
    #[command(after_help = PROXY_EXAMPLES)]
    Proxy(Box<DaemonArgs<ProxySettings>>),

    /// Check the local MariaDB, and hold its place in the election while it is fit
    #[command(after_help = agent::EXAMPLES)]
    Agent(Box<AgentArgs>),

    /// Run a command on one of many hosts, and on another when that host is gone
    #[command(after_help = worker::EXAMPLES)]
    Worker(Box<WorkerArgs>),

    /// Hold an address of the network on this host while this runs
    #[command(after_help = vip::EXAMPLES)]
    Vip(VipArgs),

    /// What stands between a worker and its command; only a worker starts it
    #[command(name = "worker-guard", hide = true)]
    Guard(GuardArgs),

    /// Show the election, its members, and what the proxies make of it
    #[command(after_help = status::EXAMPLES)]
    Status(StatusArgs),

    /// List the running processes, or keep a file made of the list
    #[command(after_help = services::EXAMPLES)]
    Services(ServicesArgs),

    /// Print the current primary's host:port, for scripts
    #[command(after_help = primary::EXAMPLES)]
    Primary(PrimaryArgs),

    /// Look for what can be unsafe in ZooKeeper, MariaDB, this host and the settings, and say what to do
    #[command(after_help = doctor::EXAMPLES, mut_args(doctor::hide_others))]
    Doctor(Box<DoctorArgs>),

    /// Check settings files without starting anything
    #[command(after_help = check_config::EXAMPLES)]
    CheckConfig(CheckConfigArgs),

    /// Show and change the settings that all proxies, or all agents, have from ZooKeeper
    #[command(after_help = config::EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
    Config(Box<ConfigArgs>),

    /// Print a script that completes capitana's commands and flags in a shell
    #[command(after_help = completions::EXAMPLES)]
    Completions(CompletionsArgs),
}

const PROXY_EXAMPLES: &str = "\
Examples:
  capitana proxy --zookeeper zk1:2181,zk2:2181,zk3:2181
  capitana proxy --config /etc/capitana/proxy.toml --log-level debug
  capitana proxy --primary 127.0.0.1:3306 --listen 127.0.0.1:3307    (no election)

SIGTERM lets open sessions finish, for --shutdown-timeout at most; a second one ends at once.";

/// What was asked for.
#[derive(Debug)]
pub enum Request {
    /// Run the proxy with the settings in these matches.
    Proxy(ArgMatches),
    /// Run the agent with the settings in these matches.
    Agent(ArgMatches),
    /// Run a worker with the settings in these matches.
    Worker(TaskArgs, ArgMatches),
    /// Guard a worker's command.
    Guard(GuardArgs),
    /// Hold an address.
    Vip(VipArgs),
    /// Give an order to the agent that runs on this host; the settings are in the matches.
    Order(OrderArgs, ArgMatches),
    /// Show the election; the settings are in the matches.
    Status(StatusArgs, ArgMatches),
    /// List the running processes; the settings are in the matches.
    Services(ServicesArgs, ArgMatches),
    /// Print the primary; the settings are in the matches.
    Primary(PrimaryArgs, ArgMatches),
    /// Look for what can be unsafe; the settings are in the matches.
    Doctor(Box<DoctorArgs>, ArgMatches),
    /// Check settings files.
    CheckConfig(CheckConfigArgs),
    /// Show or change settings in ZooKeeper; where that is, is in the matches.
    Config(Box<ConfigArgs>, ArgMatches),
    /// Print a completion script.
    Completions(CompletionsArgs),
    /// Print this: the help or the version.
    Print(String),
}

/// Understands the command line `arguments`, of which the first is the program.
///
/// # Errors
/// What cannot be understood, with the nearest thing that can.
pub fn parse(arguments: &[OsString]) -> Result<Request, Error> {
    match Cli::command().try_get_matches_from(arguments) {
        Ok(matches) => request(&matches),
        Err(error) if error.use_stderr() => Err(usage::error(&error, arguments)),
        Err(help) => Ok(Request::Print(usage::text(&help))),
    }
}

fn request(matches: &ArgMatches) -> Result<Request, Error> {
    let cli = Cli::from_arg_matches(matches).map_err(|error| Error::Usage(error.to_string()))?;
    let own = matches.subcommand().map(|(_, own)| own.clone()).unwrap_or_default();
    Ok(match cli.command {
        Commands::Proxy(_) => Request::Proxy(own),
        Commands::Agent(args) => match args.into_order() {
            Some(order) => Request::Order(order, own),
            None => Request::Agent(own),
        },
        Commands::Worker(args) => Request::Worker(args.into_task(), own),
        Commands::Guard(args) => Request::Guard(args),
        Commands::Vip(args) => Request::Vip(args),
        Commands::Status(args) => Request::Status(args, own),
        Commands::Services(args) => Request::Services(args, own),
        Commands::Primary(args) => Request::Primary(args, own),
        Commands::Doctor(args) => Request::Doctor(args, own),
        Commands::CheckConfig(args) => Request::CheckConfig(args),
        Commands::Config(args) => Request::Config(args, own),
        Commands::Completions(args) => Request::Completions(args),
    })
}
