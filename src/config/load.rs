//! Puts the settings of one daemon together: ZooKeeper, file, environment, flags, defaults, checks.
//! What each setting is, is in `settings`; what they mean together, in `resolve`.

use std::path::PathBuf;
use std::{env, fmt};

use clap::{ArgMatches, Args, FromArgMatches};

use super::CommonConfig;
use super::access::zookeeper_access;
use super::common;
use super::document::Document;
use super::keys::{self, Kind};
use super::settings::{Change, DaemonSettings, ElectionSettings, Group};
use super::source::{Documents, Source, key};
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
pub trait Daemon: Group + Clone {
    /// The settings that the daemon reads.
    type Config: Clone + PartialEq;

    /// Which daemon it is.
    const KIND: Kind;

    /// What is shared with the other daemon.
    fn common(config: &Self::Config) -> &CommonConfig;

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

/// As a line of a settings file, with where it comes from.
impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        let Some(value) = &self.value else { return write!(f, "# {key} is not set") };
        write!(f, "{key} = {value}  # ")?;
        match &self.origin {
            Origin::Flag(flag) => write!(f, "--{flag}"),
            Origin::Environment(variable) => f.write_str(variable),
            Origin::File { path, line, .. } => write!(f, "{}:{line}", path.display()),
            Origin::ZooKeeper { path, version, line, .. } => {
                write!(f, "ZooKeeper {path} version {version}:{line}")
            }
            Origin::Unset(_) => f.write_str("default"),
        }
    }
}

/// Loads the settings of the daemon `D` from its command line, the environment and the file that these name.
///
/// # Errors
/// The first setting that cannot be used, or a file that cannot be read.
pub fn load<D: Daemon>(matches: &ArgMatches) -> Result<Loaded<D::Config>, Error> {
    let documents = Documents { file: read_file::<D>(matches)?, zookeeper: None };
    Ok(put_together::<D>(matches, &documents, None)?.loaded)
}

/// Reads the file that the command line or the environment names, if one does.
///
/// # Errors
/// The file cannot be read, is not TOML, or has a key that is none.
pub fn read_file<D: Daemon>(matches: &ArgMatches) -> Result<Option<Document>, Error> {
    let args = FileArg::from_arg_matches(matches).map_err(|error| Error::Usage(error.to_string()))?;
    let Some(path) = &args.config else { return Ok(None) };
    let document = Document::read(path)?;
    keys::check(&document, D::KIND)?;
    Ok(Some(document))
}

/// Settings that can be used, and what it takes to change them.
pub struct Together<D: Daemon> {
    /// The settings.
    pub loaded: Loaded<D::Config>,
    /// The same as they were given, before defaults were filled in that depend on others.
    pub given: DaemonArgs<D>,
    /// The keys of settings that are given otherwise than they are in `running`, and can change only at a start.
    pub restart: Vec<String>,
}

/// Puts the settings of the daemon `D` together: the command line, the environment, and these documents, whose keys have
/// been checked. What can change only at a start is left as it is in `running`, so that what is checked here as a whole
/// is what the daemon would have.
///
/// # Errors
/// The first setting that cannot be used.
pub fn put_together<D: Daemon>(
    matches: &ArgMatches,
    documents: &Documents,
    running: Option<&DaemonArgs<D>>,
) -> Result<Together<D>, Error> {
    let mut args =
        DaemonArgs::<D>::from_arg_matches(matches).map_err(|error| Error::Usage(error.to_string()))?;
    let source = Source::new(matches, documents);
    args.fill(&source)?;
    let restart = running.map(|running| args.keep_from(running)).unwrap_or_default();
    let given = args.clone();

    let variables = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut warnings = keys::misspelt(variables, D::KIND);
    let access = zookeeper_access(&args.election, &source, &mut warnings)?;
    let common = common::resolve(&args.election, &mut args.daemon, access, D::KIND, &source)?;
    let config = args.own.resolve(common, &source, &mut warnings)?;
    let loaded = Loaded { config, warnings, effective: args.effective(&source) };
    Ok(Together { loaded, given, restart })
}

impl<D: Group> DaemonArgs<D> {
    /// Every setting's identifier, and when a change of it takes effect.
    #[must_use]
    pub fn changes() -> Vec<(&'static str, Change)> {
        [D::changes(), ElectionSettings::changes(), DaemonSettings::changes()].concat()
    }

    fn fill(&mut self, source: &Source<'_>) -> Result<(), Error> {
        self.own.fill(source)?;
        self.election.fill(source)?;
        self.daemon.fill(source)
    }

    fn keep_from(&mut self, running: &Self) -> Vec<String> {
        let different = [
            self.own.keep_from(&running.own),
            self.election.keep_from(&running.election),
            self.daemon.keep_from(&running.daemon),
        ];
        different.into_iter().flatten().map(key).collect()
    }

    fn effective(&self, source: &Source<'_>) -> Vec<Effective> {
        let groups = [self.election.values(), self.own.values(), self.daemon.values()];
        let setting = |(id, value)| Effective { key: key(id), value, origin: source.origin(id) };
        groups.into_iter().flatten().map(setting).collect()
    }
}
