//! `capitana check-config`: are these settings files good? It starts nothing and connects to nothing.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Command};

use super::usage;
use crate::config::document::Document;
use crate::config::keys::Kind;
use crate::config::load::{self, DaemonArgs, Effective};
use crate::config::settings::{AgentSettings, ProxySettings, WorkerSettings};
use crate::error::{Error, Origin};

pub(super) const EXAMPLES: &str = "\
Examples:
  capitana check-config /etc/capitana/proxy.toml /etc/capitana/agent.toml
  capitana check-config --kind agent --show settings.toml

Prints `FILE: ok`, or one line that names the file, the line and the key. Environment variables
count, as they would for the daemon. Run it before a restart: a bad file then stops nothing.";

/// What `capitana check-config` is asked.
#[derive(Debug, Args)]
pub struct CheckConfigArgs {
    /// Settings files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Which daemon the files are for [default: told by their keys or their names]
    #[arg(long)]
    kind: Option<Kind>,

    /// Print every setting as it would hold, and where it comes from
    #[arg(long)]
    show: bool,
}

impl CheckConfigArgs {
    /// Checks every file: prints the result of a good one to `out`, and what is wrong with a bad one to `err`.
    ///
    /// # Errors
    /// The last bad file, which has not been printed.
    pub fn run(&self, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Error> {
        let mut bad = None;
        for path in &self.files {
            match self.check(path) {
                Ok(checked) => self.print(path, &checked, out).map_err(Error::Output)?,
                Err(error) => {
                    if let Some(earlier) = bad.replace(error) {
                        writeln!(err, "capitana: {earlier}").map_err(Error::Output)?;
                    }
                }
            }
        }
        bad.map_or(Ok(()), Err)
    }

    fn check(&self, path: &Path) -> Result<Checked, Error> {
        let kind = match self.kind {
            Some(kind) => kind,
            None => Kind::detect(&Document::read(path)?).ok_or_else(|| {
                let path = path.display();
                Error::Setting {
                    origin: Origin::Flag("kind".to_owned()),
                    problem: format!(
                        "needed, because neither the keys nor the name of {path} tell which daemon it is for: \
                         --kind proxy, agent or worker"
                    ),
                }
            })?,
        };
        match kind {
            Kind::Proxy => as_daemon::<ProxySettings>(path),
            Kind::Agent => as_daemon::<AgentSettings>(path),
            Kind::Worker => as_daemon::<WorkerSettings>(path),
        }
    }

    fn print(&self, path: &Path, checked: &Checked, out: &mut dyn Write) -> std::io::Result<()> {
        for warning in &checked.warnings {
            writeln!(out, "warning: {warning}")?;
        }
        if !self.show {
            return writeln!(out, "{}: ok", path.display());
        }
        writeln!(out, "# {}: ok", path.display())?;
        checked.effective.iter().try_for_each(|setting| writeln!(out, "{setting}"))
    }
}

struct Checked {
    warnings: Vec<String>,
    effective: Vec<Effective>,
}

/// Loads `path` just as the daemon does.
fn as_daemon<D: load::Daemon>(path: &Path) -> Result<Checked, Error> {
    let command = DaemonArgs::<D>::augment_args(Command::new("capitana"));
    let arguments: [OsString; 3] = ["capitana".into(), "--config".into(), path.into()];
    let matches =
        command.try_get_matches_from(&arguments).map_err(|error| usage::error(&error, &arguments))?;
    let loaded = load::load::<D>(&matches)?;
    Ok(Checked { warnings: loaded.warnings, effective: loaded.effective })
}
