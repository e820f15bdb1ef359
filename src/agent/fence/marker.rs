//! The file that says that a fence is this agent's: what is left of it when the agent is restarted while its server is
//! fenced. It counts only for the run of the server in which it was written, because a fence ends with that.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How far two times at which one run of a server began may differ: they are made of its uptime, in whole seconds, and of
/// when the answer came.
const SAME_RUN_S: u64 = 3;
/// Linux's name for this boot of the machine, without which times since the boot cannot be compared.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// One run of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    boot: String,
    /// Seconds since the boot.
    began_s: u64,
}

impl Run {
    /// That of a server which said at `now`, on the boot's clock, that it had been up for this long.
    #[must_use]
    pub fn of(now: Duration, uptime: Duration) -> Self {
        let boot = fs::read_to_string(BOOT_ID).unwrap_or_default().trim().to_owned();
        Self { boot, began_s: now.saturating_sub(uptime).as_secs() }
    }

    /// Whether both are the same.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.boot == other.boot && self.began_s.abs_diff(other.began_s) <= SAME_RUN_S
    }
}

/// What is in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    /// The statement that lifts the fence, for people who find the file.
    lifted_by: String,
    run: Run,
}

/// The file.
#[derive(Debug, Clone)]
pub struct Marker {
    path: PathBuf,
}

impl Marker {
    /// The one in the agent's state directory.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self { path: directory.join("fence.json") }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes it, before the fence is set. Whole or not at all.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn write(&self, run: &Run, lifted_by: &str) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory)?;
        }
        let content = Content { lifted_by: lifted_by.to_owned(), run: run.clone() };
        let beside = self.path.with_extension("new");
        fs::write(&beside, serde_json::to_vec(&content)?)?;
        fs::rename(&beside, &self.path)
    }

    /// The run in which it was written, if it is there and can be read.
    #[must_use]
    pub fn read(&self) -> Option<Run> {
        let content: Content = serde_json::from_slice(&fs::read(&self.path).ok()?).ok()?;
        Some(content.run)
    }

    /// Removes it, after the fence was lifted or has ended with the server's run.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]
mod tests {
    use super::*;

    fn run(began_s: u64) -> Run {
        Run::of(Duration::from_secs(began_s + 60), Duration::from_secs(60))
    }

    #[test]
    fn a_marker_is_read_as_it_was_written_until_it_is_removed() {
        let directory = std::env::temp_dir().join(format!("capitana-marker-{}", std::process::id()));
        let marker = Marker::new(&directory.join("state"));
        assert_eq!(marker.read(), None);
        marker.write(&run(1000), "SET GLOBAL read_only=OFF").unwrap();
        assert_eq!(marker.read(), Some(run(1000)));
        marker.remove().unwrap();
        marker.remove().unwrap();
        assert_eq!(marker.read(), None);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_run_is_told_from_the_next_one_and_from_that_of_another_boot() {
        assert!(run(1000).is(&run(1002)));
        assert!(!run(1000).is(&run(1010)));
        assert!(!run(1000).is(&Run { boot: "another".to_owned(), ..run(1000) }));
    }
}
