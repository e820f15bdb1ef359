//! Puts the settings of one daemon together: file, environment, flags, defaults, checks.
//! What each setting is, is in `settings`; what they mean together, in `resolve`.

use std::env;
use std::path::PathBuf;

use clap::{ArgMatches, Args, FromArgMatches};

use super::CommonConfig;
use super::access::zookeeper_access;
use super::common;
use super::document::Document;
use super::keys::{self, Kind};
use super::settings::{DaemonSettings, ElectionSettings, Group};
use super::source::{Source, key};
use crate::error::{Error, Origin};

/// The settings file.
#[derive(Debug, Clone, Args)]
pub struct FileArg {
    /// Read settings from this TOML file; flags and environment variables beat it
    #[arg(long, env = "CAPITANA_CONFIG", value_name = "FILE", hide_env_values = true)]
    pub config: Option<PathBuf>,
}

/// The command line of a daemon with its own settings `D`.
#[derive(Debug, Clone, Args)]
pub struct DaemonArgs<D: Args> {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    own: D,
    #[command(flatten)]
    election: ElectionSettings,
    #[command(flatten)]
    daemon: DaemonSettings,
}

/// The settings of a daemon that it does not share, and what they come to.
pub trait Daemon: Group {
    /// The settings that the daemon reads.
    type Config;

    /// Which daemon it is.
    const KIND: Kind;

    /// Checks the settings against each other, and fills in defaults that depend on others or on this machine.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    fn resolve(
        &mut self,
        common: CommonConfig,
        source: &Source<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Self::Config, Error>;
}

/// Settings that can be used.
#[derive(Debug)]
pub struct Loaded<C> {
    /// The settings.
    pub config: C,
    /// What is allowed but unwise, one line each: to be logged once there is a log.
    pub warnings: Vec<String>,
    /// Every setting as it holds, for people.
    pub effective: Vec<Effective>,
}

/// One setting as it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// Its key.
    pub key: String,
    /// Its value; none if it is unset and has no default.
    pub value: Option<toml::Value>,
    /// Where the value came from.
    pub origin: Origin,
}

/// Loads the settings of the daemon `D` from its command line, the environment and the file that these name.
///
/// # Errors
/// The first setting that cannot be used, or a file that cannot be read.
pub fn load<D: Daemon>(matches: &ArgMatches) -> Result<Loaded<D::Config>, Error> {
    let mut args =
        DaemonArgs::<D>::from_arg_matches(matches).map_err(|error| Error::Usage(error.to_string()))?;
    let document = match &args.file.config {
        Some(path) => Some(Document::read(path)?),
        None => None,
    };
    if let Some(document) = &document {
        keys::check(document, D::KIND)?;
    }
    let source = Source::new(matches, document);
    args.fill(&source)?;

    let variables = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut warnings = keys::misspelt(variables, D::KIND);
    let access = zookeeper_access(&args.election, &source, &mut warnings)?;
    let common = common::resolve(&args.election, &mut args.daemon, access, D::KIND, &source)?;
    let config = args.own.resolve(common, &source, &mut warnings)?;
    Ok(Loaded { config, warnings, effective: args.effective(&source) })
}

impl<D: Daemon> DaemonArgs<D> {
    fn fill(&mut self, source: &Source<'_>) -> Result<(), Error> {
        self.own.fill(source)?;
        self.election.fill(source)?;
        self.daemon.fill(source)
    }

    fn effective(&self, source: &Source<'_>) -> Vec<Effective> {
        let groups = [self.election.values(), self.own.values(), self.daemon.values()];
        let setting = |(id, value)| Effective { key: key(id), value, origin: source.origin(id) };
        groups.into_iter().flatten().map(setting).collect()
    }
}
