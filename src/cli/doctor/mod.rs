//! `capitana doctor`: what can be unsafe here, and what to do about it. It reads the settings as the daemons do and has
//! `doctor` look; the findings are printed by `print`.

mod print;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use capitana_core::doctor::{Finding, Severity, worst};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command};

use super::usage;
use super::wait::{block_on, patiently};
use crate::config::document::Document;
use crate::config::keys::Kind;
use crate::config::load::{Daemon, DaemonArgs};
use crate::config::settings::{AgentSettings, DaemonSettings, ElectionSettings, ProxySettings};
use crate::config::value::Text;
use crate::config::words::Period;
use crate::doctor::{self, Settings, Subjects};
use crate::error::{Error, Origin};
use crate::exit;

pub(super) const EXAMPLES: &str = "\
Examples:
  capitana doctor --config /etc/capitana/agent.toml
  capitana doctor --config /etc/capitana/agent.toml --config /etc/capitana/proxy.toml
  capitana doctor --zookeeper zk1:2181,zk2:2181,zk3:2181
  capitana doctor --config /etc/capitana/agent.toml --json | jq -r '.findings[].code'

Changes nothing. Each finding has a code, what was found, why it matters, and what to do.
Exits with 0 if there is nothing to do, 1 if the worst finding is a warning, 2 if it is a danger;
64 and above are errors of the command itself, as everywhere:
  capitana doctor --config /etc/capitana/agent.toml || mail -s \"doctor: $?\" dba@example.org";

/// How many times `--timeout` it can take in all: see `doctor::examine`.
const ROUNDS: u32 = 2;

/// The agent's settings with which MariaDB can be looked at.
const SERVER_SETTINGS: [&str; 3] = ["server", "user", "password_file"];

/// What `capitana doctor` is asked. Its flags are those of the agent.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// A settings file of the agent or of the proxy: told by its keys or its name; may be given twice
    #[arg(long, env = "CAPITANA_CONFIG", value_name = "FILE", hide_env_values = true)]
    config: Vec<PathBuf>,

    /// How long ZooKeeper, and MariaDB, may take to answer
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    timeout: Text<Period>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    election: ElectionSettings,
    #[command(flatten)]
    agent: AgentSettings,
    #[command(flatten)]
    daemon: DaemonSettings,
}

/// Leaves out of the help what of the agent's flags is not about reaching ZooKeeper and MariaDB; they can be given all the
/// same.
pub(super) fn hide_others(flag: clap::Arg) -> clap::Arg {
    let own = ["config", "timeout", "json", "zookeeper_session_timeout", "help", "version"];
    let id = flag.get_id().as_str();
    let shown = own.contains(&id)
        || SERVER_SETTINGS.contains(&id)
        || id == "election_path"
        || (id.starts_with("zookeeper") && id != "zookeeper_acl");
    if shown { flag } else { flag.hide(true) }
}

impl DoctorArgs {
    /// Looks, prints to `out`, and answers the exit code.
    ///
    /// # Errors
    /// Settings that cannot be used.
    pub fn run(&self, matches: &ArgMatches, out: &mut dyn Write) -> Result<u8, Error> {
        let subjects = self.subjects(matches)?;
        let limit = self.timeout.value.0;
        let findings =
            block_on(patiently("ZooKeeper and MariaDB", limit * ROUNDS, doctor::examine(subjects, limit)))?;
        if self.json { print::json(&findings, out) } else { print::text(&findings, out) }
            .map_err(Error::Output)?;
        Ok(exit_code(&findings))
    }

    fn subjects(&self, matches: &ArgMatches) -> Result<Subjects, Error> {
        let mut subjects = Subjects::default();
        for path in &self.config {
            let twice = match kind(path)? {
                Kind::Agent => {
                    subjects.agent.replace(settings::<AgentSettings>(Some(path), matches)?).is_some()
                }
                Kind::Proxy => {
                    subjects.proxy.replace(settings::<ProxySettings>(Some(path), matches)?).is_some()
                }
                Kind::Worker => {
                    return Err(bad_config(
                        "it looks at proxies and agents: `check-config` checks a worker's file",
                    ));
                }
            };
            if twice {
                return Err(bad_config("two files of one kind: give one of the agent, one of the proxy"));
            }
        }
        if subjects.agent.is_none() && (self.config.is_empty() || names_a_server(matches)) {
            let agent = settings::<AgentSettings>(None, matches)?;
            match names_a_server(matches) {
                true => subjects.agent = Some(agent),
                false => subjects.election = Some(agent.config.common),
            }
        }
        Ok(subjects)
    }
}

fn names_a_server(matches: &ArgMatches) -> bool {
    let given = |id: &&str| {
        matches!(matches.value_source(id), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    };
    SERVER_SETTINGS.iter().any(given)
}

fn kind(path: &Path) -> Result<Kind, Error> {
    let told = Kind::detect(&Document::read(path)?);
    told.ok_or_else(|| {
        bad_config(&format!(
            "neither the keys nor the name of {} tell whether it is for the proxy or the agent: name it proxy.toml or \
             agent.toml",
            path.display()
        ))
    })
}

fn bad_config(problem: &str) -> Error {
    Error::Setting { origin: Origin::Flag("config".to_owned()), problem: problem.to_owned() }
}

/// Loads the settings just as the daemon would with this file and these flags.
fn settings<D: Daemon>(path: Option<&Path>, matches: &ArgMatches) -> Result<Settings<D>, Error> {
    let command = DaemonArgs::<D>::augment_args(Command::new("capitana"));
    let mut arguments: Vec<OsString> = vec!["capitana".into()];
    if let Some(path) = path {
        arguments.extend(["--config".into(), path.into()]);
    }
    for flag in command.get_arguments().filter(|flag| flag.get_id() != "config") {
        arguments.extend(given(flag, matches));
    }
    let matches =
        command.try_get_matches_from(&arguments).map_err(|error| usage::error(&error, &arguments))?;
    let name = path.map_or_else(|| "the settings".to_owned(), |path| path.display().to_string());
    Settings::load(name, matches)
}

/// A flag as it was given on the command line.
fn given(flag: &clap::Arg, matches: &ArgMatches) -> Vec<OsString> {
    let id = flag.get_id().as_str();
    let here = matches!(matches.try_contains_id(id), Ok(true))
        && matches.value_source(id) == Some(ValueSource::CommandLine);
    let (Some(long), true) = (flag.get_long(), here) else { return Vec::new() };
    let values = matches.get_raw(id).into_iter().flatten();
    values
        .map(|value| {
            let mut argument = OsString::from(format!("--{long}="));
            argument.push(value);
            argument
        })
        .collect()
}

fn exit_code(findings: &[Finding]) -> u8 {
    match worst(findings) {
        None | Some(Severity::Info) => exit::OK,
        Some(Severity::Warning) => exit::WARNING,
        Some(Severity::Danger) => exit::DANGER,
    }
}

#[cfg(test)]
mod tests {
    use capitana_core::doctor::{galera, reach};

    use super::*;

    #[test]
    fn the_exit_code_is_that_of_the_worst_finding() {
        let info = reach::SERVER_NOT_CHECKED.at("MariaDB", "");
        let warning = galera::ALONE.at("MariaDB", "");
        let danger = galera::EVS_INSTALL.at("MariaDB", "");
        assert_eq!(exit_code(&[]), 0);
        assert_eq!(exit_code(std::slice::from_ref(&info)), 0);
        assert_eq!(exit_code(&[info.clone(), warning.clone()]), 1);
        assert_eq!(exit_code(&[warning, danger, info]), 2);
    }
}
