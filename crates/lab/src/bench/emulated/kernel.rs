//! The kernel of the emulated machine: Debian's for virtual machines, out of its package, which is not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::said;

/// It depends on the package of the newest one.
const PACKAGE: &str = "linux-image-cloud-amd64";

/// A kernel.
pub(super) struct Kernel {
    pub(super) image: PathBuf,
    pub(super) release: String,
}

/// Fetches it into a directory.
pub(super) fn fetch(directory: &Path) -> Result<Kernel> {
    let depends = said(Command::new("apt-cache").args(["depends", PACKAGE]))?;
    let package = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: linux-image-"));
    let package =
        package.with_context(|| format!("there is no package {PACKAGE} here: it takes Debian on x86-64"))?;
    said(
        Command::new("apt-get").args(["download", &format!("linux-image-{package}")]).current_dir(directory),
    )?;
    let archive = found(directory, "linux-image-")?;
    said(Command::new("dpkg-deb").arg("-x").arg(archive).arg(directory.join("kernel")))?;
    Ok(Kernel { image: found(&directory.join("kernel/boot"), "vmlinuz-")?, release: package.to_owned() })
}

fn found(directory: &Path, prefix: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut paths = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    match paths.next() {
        Some(entry) => Ok(entry.path()),
        None => bail!("no {prefix}* is in {}", directory.display()),
    }
}
