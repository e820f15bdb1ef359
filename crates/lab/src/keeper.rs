//! Owns the promise that a lab leaves nothing behind: the keeper process, and clearing what older labs left.
//!
//! Does not own the processes while the lab runs (`process`), nor which lab has which slot (`slot`).

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// The environment variable by which every process of a lab is known; its value is the lab's directory.
pub const MARKER: &str = "CAPITANA_LAB";

/// The file in a lab's directory that asks for the logs to outlive the lab.
const KEEP: &str = "keep";

const SCRIPT: &str = include_str!("keeper.sh");

/// The process that ends a lab: it outlives the lab whatever happens to that, and then clears up.
#[derive(Debug)]
pub(crate) struct Keeper {
    child: Child,
    lab: PathBuf,
    failed: PathBuf,
}

impl Keeper {
    /// Starts the keeper of the lab in `lab`. It shares `slot`, so that the slot is free only once all is cleared.
    pub(crate) fn start(lab: &Path, failed: &Path, slot: &File) -> Result<Self> {
        let slot = slot.try_clone().context("cannot share the slot's lock with the keeper")?;
        let child = command(lab, failed)
            .stdin(Stdio::piped())
            .stdout(slot)
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start the keeper (sh)")?;
        Ok(Self { child, lab: lab.to_owned(), failed: failed.to_owned() })
    }

    /// Asks that the logs be kept, and says where they will be.
    pub(crate) fn keep_logs(&self) -> Result<PathBuf> {
        File::create(self.lab.join(KEEP)).context("cannot mark the lab's logs to be kept")?;
        Ok(self.failed.join(self.lab.file_name().unwrap_or_default()))
    }

    /// Ends every process of the lab and removes its directory. Blocks until that is done.
    pub(crate) fn finish(&mut self) -> Result<()> {
        drop(self.child.stdin.take());
        self.child.wait().context("cannot wait for the keeper")?;
        Ok(())
    }
}

/// Clears what a lab without a keeper left in `lab`. The caller holds the slot's lock. Blocks until that is done.
pub(crate) fn clear(lab: &Path, failed: &Path) -> Result<()> {
    command(lab, failed)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cannot run the keeper (sh)")?;
    Ok(())
}

fn command(lab: &Path, failed: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", SCRIPT, "capitana-lab-keeper"])
        .arg(lab)
        .arg(failed)
        .env_remove(MARKER)
        .current_dir("/");
    command
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_logs_of_the_last_ten_failed_labs_are_kept() {
        let base = tempfile::tempdir().unwrap();
        let failed = base.path().join("failed");
        for number in 0..12 {
            let lab = base.path().join(format!("lab-{number}"));
            fs::create_dir(&lab).unwrap();
            fs::write(lab.join("node1.log"), "what went wrong").unwrap();
            File::create(lab.join(KEEP)).unwrap();
            clear(&lab, &failed).unwrap();
        }
        assert_eq!(fs::read_dir(&failed).unwrap().count(), 10);
        assert!(failed.join("lab-11/node1.log").exists());
        assert!(!failed.join("lab-1").exists());
    }
}
