//! `capitana config`: shows and changes the settings that all daemons of a kind have from ZooKeeper. What it writes has been
//! checked by the code with which the daemons check it. Where it is kept, and how, is `live::store`'s.

mod edit;
mod show;
mod write;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Args, Subcommand};

use super::election::{Election, ElectionArgs, From};
use super::wait::block_on;
use crate::config::keys::Kind;
use crate::control::{CoordinatorError, ZooKeeper};
use crate::error::{Error, Origin};
use crate::live::Store;
use write::Change;

pub(super) const EXAMPLES: &str = "\
Examples:
  capitana config set proxy proxy.toml --config /etc/capitana/proxy.toml -m 'wait longer'
  echo 'hold-timeout = \"12s\"' | capitana config set proxy - --zookeeper zk1:2181 --version 7
  capitana config edit agent --zookeeper zk1:2181
  capitana config history proxy --zookeeper zk1:2181
  capitana config rollback proxy 6 --zookeeper zk1:2181

What is written is TOML with the keys of the settings file. Every proxy, or every agent, takes it
over at once; flags and environment variables of a process beat it, and it beats the file.
What a running process cannot take over is refused. Exits with 75 if somebody else was faster.";

/// What `capitana config` is asked.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the settings; what version they are is said on standard error
    #[command(after_help = EXAMPLES, disable_version_flag = true)]
    Get {
        #[command(flatten)]
        at: At,
        /// Another version than the current one, of those that were kept
        #[arg(long, value_name = "N")]
        version: Option<i32>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write settings from a file
    #[command(after_help = EXAMPLES, disable_version_flag = true)]
    Set {
        #[command(flatten)]
        at: At,
        /// The file; `-`: standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Write only if this is the current version; `none`: only if there is none [default: whichever it is]
        #[arg(long, value_name = "N")]
        version: Option<Expected>,
        #[command(flatten)]
        why: Why,
    },
    /// Change the settings in $VISUAL or $EDITOR
    #[command(after_help = EXAMPLES)]
    Edit {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        why: Why,
    },
    /// List the versions that were kept, the newest first: when each was written, by whom, and why
    #[command(after_help = EXAMPLES)]
    History {
        #[command(flatten)]
        at: At,
        /// Print one JSON object a version, with its text
        #[arg(long)]
        json: bool,
    },
    /// Write an earlier version again, as a new one
    #[command(after_help = EXAMPLES, disable_version_flag = true)]
    Rollback {
        #[command(flatten)]
        at: At,
        /// The version whose settings are wanted back
        #[arg(value_name = "VERSION")]
        to: i32,
        #[command(flatten)]
        why: Why,
    },
}

/// Whose settings, and where.
#[derive(Debug, Args)]
struct At {
    /// The daemons whose settings these are
    kind: Kind,
    #[command(flatten)]
    election: ElectionArgs,
}

/// For those who look at the history.
#[derive(Debug, Args)]
struct Why {
    /// Why, for the history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
}

/// The version that somebody has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Expected(Option<i32>);

impl std::str::FromStr for Expected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            number => match number.parse() {
                Ok(version @ 0..) => Ok(Self(Some(version))),
                _ => {
                    Err("expected a version as `capitana config history` shows them, or \"none\"".to_owned())
                }
            },
        }
    }
}

/// The settings of one kind, and the way to them.
struct Place {
    kind: Kind,
    store: Store,
    election: Box<Election>,
    limit: Duration,
}

impl ConfigArgs {
    /// Does what is asked: answers go to `out`, what is said beside them to `err`.
    ///
    /// # Errors
    /// The settings are wrong, somebody else was faster, or ZooKeeper does not answer.
    pub fn run(&self, matches: &ArgMatches, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Error> {
        let own = matches.subcommand().map(|(_, own)| own).unwrap_or(matches);
        block_on(async {
            match &self.verb {
                Verb::Get { at, version, json } => {
                    show::get(&at.place(own)?, *version, *json, (out, err)).await
                }
                Verb::Set { at, file, version, why } => {
                    let (place, text) = (at.place(own)?, read(file)?);
                    let change = Change::new(text, why.message.as_deref());
                    let origin = crate::config::document::Place::File(file.clone());
                    let version = version.map(|Expected(version)| version);
                    write::set(&place, change, (origin, version), out).await
                }
                Verb::Edit { at, why } => {
                    edit::edit(&at.place(own)?, why.message.as_deref(), (out, err)).await
                }
                Verb::History { at, json } => show::history(&at.place(own)?, *json, out).await,
                Verb::Rollback { at, to, why } => {
                    write::rollback(&at.place(own)?, *to, why.message.as_deref(), out).await
                }
            }
        })?
    }
}

impl At {
    fn place(&self, matches: &ArgMatches) -> Result<Place, Error> {
        let known = self.election.known(matches)?;
        let problem = |key: &str, problem: &str| Error::Setting {
            origin: Origin::Unset(key.to_owned()),
            problem: problem.to_owned(),
        };
        let From::Election(election) = known.from else {
            return Err(problem(
                "zookeeper",
                "missing: with a fixed primary there is no ZooKeeper to keep settings",
            ));
        };
        let Some(path) = &election.config_path else {
            return Err(problem(
                "config-path",
                "it is \"off\": name the znode below which settings are kept",
            ));
        };
        let store = Store::new(path, self.kind);
        Ok(Place { kind: self.kind, store, election, limit: known.timeout })
    }
}

impl Place {
    /// Does `work` on a session of its own.
    async fn ask<T>(
        &self,
        work: impl AsyncFnOnce(&ZooKeeper, &Store) -> Result<T, CoordinatorError>,
    ) -> Result<T, Error> {
        self.election.ask(self.limit, async |session| work(session, &self.store).await).await
    }
}

/// As much as may be written, and a byte by which it is seen that there is more.
fn read(file: &PathBuf) -> Result<Vec<u8>, Error> {
    let unreadable = |source| Error::ReadFile { path: file.clone(), source };
    let mut text = Vec::new();
    let most = crate::live::store::LONGEST as u64 + 1;
    match file.as_os_str() == "-" {
        true => std::io::stdin().lock().take(most).read_to_end(&mut text),
        false => std::fs::File::open(file).and_then(|file| file.take(most).read_to_end(&mut text)),
    }
    .map_err(unreadable)?;
    Ok(text)
}
