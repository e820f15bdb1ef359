//! Owns with which arguments a mariadbd starts: after an orderly stop, after a crash, as the first of its cluster.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use super::config;
use crate::keeper::MARKER;

const MARIADBD: &str = "/usr/sbin/mariadbd";

/// What a mariadbd is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// Nothing: there is no Galera.
    Plain,
    /// A cluster of itself.
    Alone,
    /// A cluster of several.
    Member,
}

impl Start {
    /// Of a cluster of `count` nodes.
    pub(super) fn of_cluster(count: usize) -> Self {
        if count == 1 { Self::Alone } else { Self::Member }
    }
}

/// How the node of `directory` is started, each time anew from what its last run left.
pub(super) fn recipe(directory: PathBuf, start: Start) -> impl Fn() -> Result<Command> {
    move || {
        let mut command = command(&directory)?;
        if start == Start::Plain {
            return Ok(command);
        }
        let alone = start == Start::Alone;
        if alone {
            allow_founding(&directory)?;
        }
        let state = state(&directory);
        if matches!(state, State::Crashed) {
            command.arg(format!("--wsrep-start-position={}", recover(&directory)?));
        }
        if alone || matches!(state, State::LastOfCluster) {
            command.arg("--wsrep-new-cluster");
        }
        Ok(command)
    }
}

/// What `grastate.dat` and `gvwstate.dat` say of the last run.
enum State {
    /// It did not write down where it ended: that has to be found in InnoDB's log.
    Crashed,
    /// It was the last to be stopped in order: it may found the cluster anew. While it is not, Galera refuses that.
    LastOfCluster,
    /// Neither; or all nodes crashed, when Galera restores the cluster from `gvwstate.dat` once all are back.
    Stopped,
}

/// Nobody can be ahead of a node that is alone; Galera wants to be told, and does not restore a view of one.
fn allow_founding(directory: &Path) -> Result<()> {
    let data = config::data(directory);
    let path = data.join("grastate.dat");
    if let Ok(state) = fs::read_to_string(&path) {
        fs::write(&path, state.replace("safe_to_bootstrap: 0", "safe_to_bootstrap: 1"))?;
    }
    match fs::remove_file(data.join("gvwstate.dat")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn state(directory: &Path) -> State {
    let data = config::data(directory);
    let saved = fs::read_to_string(data.join("grastate.dat")).unwrap_or_default();
    let field = |name: &str| {
        let line = saved.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::trim).unwrap_or_default().to_owned()
    };
    let known = !field("uuid").is_empty() && !field("uuid").starts_with("00000000-");
    if known && field("seqno") == "-1" {
        return State::Crashed;
    }
    if field("safe_to_bootstrap") == "1" && !data.join("gvwstate.dat").exists() {
        return State::LastOfCluster;
    }
    State::Stopped
}

/// The position in InnoDB's log, as `galera_recovery` finds it for systemd.
fn recover(directory: &Path) -> Result<String> {
    let log = directory.join("recovery.log");
    let lab = directory.parent().unwrap_or(directory);
    let mut command = command(directory)?;
    let output = command.arg("--wsrep-recover").env(MARKER, lab).output().context("cannot run mariadbd")?;
    fs::write(&log, &output.stderr)?;
    let said = String::from_utf8_lossy(&output.stderr);
    let position = said.lines().find_map(|line| line.split_once("WSREP: Recovered position:"));
    let (_, position) = position.ok_or_else(|| anyhow!("no position in {}", log.display()))?;
    Ok(position.trim().to_owned())
}

fn command(directory: &Path) -> Result<Command> {
    if !Path::new(MARIADBD).exists() {
        bail!("{MARIADBD} is missing: apt-get install mariadb-server galera-4");
    }
    let mut command = Command::new(MARIADBD);
    command.arg(format!("--defaults-file={}", config::option_file(directory).display()));
    Ok(command)
}
