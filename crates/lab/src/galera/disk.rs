//! Owns what a node's disk is: how it can be stopped while its mariadbd lives and answers, or left out altogether.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use super::config;
use crate::keeper::MARKER;

/// What the nodes' disks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Disk {
    /// They cannot be stopped.
    #[default]
    Sound,
    /// The data directory is in memory, mounted where only this mariadbd sees it, and goes with it. For measurements that
    /// the time of a shared disk would drown. For root only; such a node is started once.
    Memory,
    /// `fsync` and `fdatasync` do not return: a library that is preloaded into mariadbd waits in them.
    Syncs,
    /// The file system of the data directory is frozen by `fsfreeze`, and every write to it waits. It is an image that is
    /// mounted where only this mariadbd sees it, and that goes with it. For root only; such a node is started once.
    FileSystem,
}

/// A disk that is stopped until this is dropped.
#[derive(Debug)]
pub struct StoppedDisk {
    hold: Option<PathBuf>,
    freezer: Option<Child>,
}

impl Drop for StoppedDisk {
    fn drop(&mut self) {
        if let Some(hold) = &self.hold {
            let _ = fs::remove_file(hold);
        }
        if let Some(freezer) = &mut self.freezer {
            drop(freezer.stdin.take());
            let _ = freezer.wait();
        }
    }
}

const SHIM: &str = include_str!("hold_sync.c");

/// $1: data directory, $2: image. Then mariadbd.
const MOUNT: &str = "set -e; owner=$(stat -c %u:%g \"$1\"); mount -o loop \"$2\" \"$1\"; chown \"$owner\" \"$1\"; \
                     shift 2; exec \"$@\"";

/// $1: data directory, $2: where memory is mounted until the data is in it. Then mariadbd.
const LOAD: &str = "set -e; mkdir \"$2\"; mount -t tmpfs tmpfs \"$2\"; cp -a \"$1/.\" \"$2\"; mount --move \"$2\" \"$1\"; \
                    shift 2; exec \"$@\"";

/// $1: the data directory as mariadbd sees it. Thaws when its standard input ends: also when the lab has died.
const FREEZE: &str =
    "cd \"$1\" && fsfreeze --freeze . && echo frozen && { read -r _; fsfreeze --unfreeze .; }";

/// What a disk needs before the node's start, with its data in place.
pub(super) fn install(directory: &Path, disk: Disk) -> Result<()> {
    match disk {
        Disk::Sound => Ok(()),
        // The data is copied at the start, once it is whole.
        Disk::Memory => {
            File::create(memory(directory).with_extension("wanted")).map(drop).map_err(Into::into)
        }
        Disk::Syncs => {
            let source = directory.join("hold_sync.c");
            fs::write(&source, SHIM)?;
            let mut gcc = Command::new("gcc");
            gcc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(shim(directory)).arg(&source).arg("-ldl");
            run(&mut gcc)
        }
        Disk::FileSystem => {
            let (data, image) = (config::data(directory), image(directory));
            File::create(&image)?.set_len(512 << 20)?;
            run(Command::new("mkfs.ext4").args(["-q", "-F", "-d"]).arg(&data).arg(&image))
        }
    }
}

/// The start of a node, changed so that its disk can be stopped once that was installed.
pub(super) fn recipe(
    directory: PathBuf,
    disk: Disk,
    start: impl Fn() -> Result<Command>,
) -> impl Fn() -> Result<Command> {
    move || {
        let mut command = start()?;
        match disk {
            Disk::Syncs if shim(&directory).exists() => {
                command.env("LD_PRELOAD", shim(&directory)).env("LAB_HOLD", hold(&directory));
                Ok(command)
            }
            Disk::Memory if memory(&directory).with_extension("wanted").exists() => {
                Ok(mounted(LOAD, &directory, &memory(&directory), &command))
            }
            Disk::FileSystem if image(&directory).exists() => {
                Ok(mounted(MOUNT, &directory, &image(&directory), &command))
            }
            _ => Ok(command),
        }
    }
}

/// Stops the disk of a node that runs as `pid`.
pub(super) fn stop(disk: Disk, directory: &Path, pid: Option<u32>) -> Result<StoppedDisk> {
    let pid = pid.with_context(|| format!("nothing runs in {}", directory.display()))?;
    match disk {
        Disk::Sound | Disk::Memory => bail!("the disk of {} was not made to be stopped", directory.display()),
        Disk::Syncs => {
            let hold = hold(directory);
            File::create(&hold)?;
            Ok(StoppedDisk { hold: Some(hold), freezer: None })
        }
        Disk::FileSystem => {
            let seen = format!("/proc/{pid}/root{}", config::data(directory).display());
            let mut freezer = Command::new("sh");
            freezer.args(["-c", FREEZE, "sh", &seen]).stdin(Stdio::piped()).stdout(Stdio::piped());
            // Not the keeper's to kill: then nobody would thaw.
            let mut freezer = freezer.env_remove(MARKER).spawn().context("cannot start sh")?;
            let mut said = String::new();
            if let Some(out) = freezer.stdout.take() {
                BufReader::new(out).read_line(&mut said)?;
            }
            let stopped = StoppedDisk { hold: None, freezer: Some(freezer) };
            if said.trim() != "frozen" {
                bail!("fsfreeze failed on {seen}: it needs root, and loop devices");
            }
            Ok(stopped)
        }
    }
}

/// `command` where `script` has mounted what is at `source` on the data directory, for it alone.
fn mounted(script: &str, directory: &Path, source: &Path, command: &Command) -> Command {
    let mut wrapped = Command::new("unshare");
    wrapped.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]);
    wrapped.arg(config::data(directory)).arg(source);
    wrapped.arg(command.get_program()).args(command.get_args());
    wrapped
}

fn shim(directory: &Path) -> PathBuf {
    directory.join("hold_sync.so")
}

fn hold(directory: &Path) -> PathBuf {
    directory.join("hold")
}

fn memory(directory: &Path) -> PathBuf {
    directory.join("memory")
}

fn image(directory: &Path) -> PathBuf {
    directory.join("disk.img")
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        bail!("{program}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
