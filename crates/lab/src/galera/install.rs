//! Owns where the data of a lab's nodes come from: installed and started once, then copied, all at one position.
//!
//! With equal data and the record of a common view (`gvwstate.dat`) the nodes come up as a cluster does after a power
//! cut: all at once and without a state transfer, in a third of the time of one that grows node by node.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{GaleraOptions, Node, config, disk};
use crate::keeper::MARKER;
use crate::slot::Slot;

const ACCOUNTS: &str = include_str!("install.sql");

/// Makes `count` nodes with data, not started: [`Process::start`](crate::Process::start) all of them, then wait.
pub(crate) async fn install(slot: &Slot, count: usize, options: &GaleraOptions) -> Result<Vec<Node>> {
    let nodes: Vec<_> =
        (0..count).map(|index| Node::new(slot, index, count, options)).collect::<Result<_>>()?;
    let Some((first, others)) = nodes.split_first() else { return Ok(nodes) };
    own(slot, &nodes)?;
    let (lab, directory) = (slot.directory().to_owned(), first.directory().to_owned());
    tokio::task::spawn_blocking(move || create(&lab, &directory)).await??;
    if !options.plain {
        set_position(first).await?;
    }
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 {
            copy(first, node)?;
        }
        if !options.plain {
            record_view(node, index, 1 + others.len())?;
        }
        disk::install(node.directory(), options.disk)?;
    }
    Ok(nodes)
}

/// Lets mariadbd's user write into the nodes' directories.
fn own(slot: &Slot, nodes: &[Node]) -> Result<()> {
    let Some(user) = config::user() else { return Ok(()) };
    let directories = nodes.iter().map(|node| node.directory());
    run(Command::new("chown").args(["-R", user]).args(directories), slot.directory())
}

fn create(lab: &Path, directory: &Path) -> Result<()> {
    let accounts = directory.join("install.sql");
    fs::write(&accounts, ACCOUNTS)?;
    let mut command = Command::new("mariadb-install-db");
    command.arg("--no-defaults").arg(format!("--datadir={}", config::data(directory).display()));
    command.arg(format!("--tmpdir={}", config::temporary(directory).display()));
    command.args(config::user().map(|user| format!("--user={user}")));
    command.args(["--skip-test-db", "--skip-name-resolve", "--auth-root-authentication-method=normal"]);
    command.arg("--innodb-log-file-size=16M").arg(format!("--extra-file={}", accounts.display()));
    run(&mut command, lab)
}

/// Founds the cluster once and stops it, so that InnoDB knows the position which `grastate.dat` claims.
async fn set_position(first: &Node) -> Result<()> {
    let state = "version: 2.1\nuuid: 00000000-0000-0000-0000-000000000000\nseqno: -1\nsafe_to_bootstrap: 1\n";
    write_owned(
        &config::data(first.directory()).join("grastate.dat"),
        &format!("# GALERA saved state\n{state}"),
    )?;
    first.start().await?;
    first.wait_ready(1).await?;
    first.stop().await?;
    let cache = config::data(first.directory()).join("galera.cache");
    fs::remove_file(&cache).with_context(|| format!("cannot remove {}", cache.display()))
}

fn copy(from: &Node, to: &Node) -> Result<()> {
    let lab = from.directory().parent().unwrap_or(from.directory());
    let (from, to) = (config::data(from.directory()), config::data(to.directory()));
    run(Command::new("cp").args(["-a", "--sparse=always"]).arg(from).arg(to), lab)
}

/// Writes the record of a view that all nodes were in. The identifiers need to differ within the cluster only.
fn record_view(node: &Node, index: usize, count: usize) -> Result<()> {
    let id = |index: usize| format!("{:08x}-0000-11e4-aa3d-ab44303c044a", index + 1);
    let mut view = format!("my_uuid: {}\n#vwbeg\nview_id: 3 {} 1\nbootstrap: 0\n", id(index), id(0));
    for member in 0..count {
        let _ = writeln!(view, "member: {} 0", id(member));
    }
    view.push_str("#vwend\n");
    write_owned(&config::data(node.directory()).join("gvwstate.dat"), &view)
}

/// Writes a file that belongs to whom its directory belongs to.
fn write_owned(path: &Path, content: &str) -> Result<()> {
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))?;
    let owner = fs::metadata(path.parent().unwrap_or(path))?;
    std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid()))?;
    Ok(())
}

/// Runs a helper program to its end, with its output in the lab's `install.log`.
fn run(command: &mut Command, lab: &Path) -> Result<()> {
    let path = lab.join("install.log");
    let log = File::options().create(true).append(true).open(&path)?;
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.env(MARKER, lab).stdout(log.try_clone()?).stderr(log).status();
    let status = status.with_context(|| format!("cannot run {program}"))?;
    if !status.success() {
        let said = fs::read_to_string(&path).unwrap_or_default();
        bail!("{program}: {status}; {} says:\n{said}", path.display());
    }
    Ok(())
}
