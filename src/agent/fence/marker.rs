//! The file that says that a fence is this agent's: what is left of it when the agent is restarted while its server is
//! fenced. It counts only for the run of the server in which it was written, because a fence ends with that.
//!
//! The fence matters more than the file: whoever sets it waits for the disk for a moment, and goes on. What the disk did not
//! do in time is owed, and done as soon as it answers.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::hand::lifts;
use crate::agent::state::{Directory, Outlives, boot};
use crate::config::FenceMode;
use crate::disk::Disk;

/// In the agent's state directory.
const FILE: &str = "fence.json";
/// How far two times at which one run of a server began may differ: they are made of its uptime, in whole seconds, and of
/// when the answer came.
const SAME_RUN_S: u64 = 3;

/// One run of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Without the same start of the machine times since then cannot be compared.
    boot: String,
    /// Seconds since the boot.
    began_s: u64,
}

impl Run {
    /// That of a server which said at `now`, on the boot's clock, that it had been up for this long.
    #[must_use]
    pub fn of(now: Duration, uptime: Duration) -> Self {
        Self { boot: boot().unwrap_or_default(), began_s: now.saturating_sub(uptime).as_secs() }
    }

    /// Whether both are the same.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.boot == other.boot && self.began_s.abs_diff(other.began_s) <= SAME_RUN_S
    }
}

/// A fence of this agent's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The run of the server in which it was set.
    pub run: Run,
    /// How the agent fenced at that time.
    pub mode: FenceMode,
}

/// What is in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    /// The statement that lifts the fence, for people who find the file.
    lifted_by: String,
    mode: FenceMode,
    run: Run,
}

/// The file.
#[derive(Debug)]
pub struct Marker {
    directory: PathBuf,
    disk: Disk,
    /// How long the disk is waited for.
    patience: Duration,
    /// What has to be in it, as long as it is not known to be: none in it says that there must be no file.
    owed: Option<Option<Content>>,
    /// Whether the trouble with what is owed was logged.
    said: bool,
}

impl Marker {
    /// The one in the agent's state directory.
    #[must_use]
    pub fn new(directory: &Path, patience: Duration) -> Self {
        Self { directory: directory.to_owned(), disk: Disk::default(), patience, owed: None, said: false }
    }

    /// Waits for the disk for so long from now on.
    pub fn be_patient(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Writes it, before the fence is set.
    pub async fn write(&mut self, run: &Run, mode: FenceMode) {
        self.owe(Some(Content { lifted_by: lifts(mode).to_owned(), mode, run: run.clone() })).await;
    }

    /// Removes it, after the fence was lifted or has ended with the server's run.
    pub async fn remove(&mut self) {
        self.owe(None).await;
    }

    /// What it says, if it is there.
    ///
    /// # Errors
    /// `TimedOut`: it will be known later. Else it cannot be read.
    pub async fn read(&self) -> io::Result<Option<Recorded>> {
        let path = self.directory.clone();
        let content =
            self.disk.within(self.patience, move || Directory::make(&path)?.read::<Content>(FILE)).await?;
        Ok(content.map(|Content { run, mode, .. }| Recorded { run, mode }))
    }

    /// Does what the disk did not do so far.
    pub async fn settle(&mut self) {
        let Some(content) = self.owed.clone() else { return };
        let writes = content.is_some();
        let path = self.directory.clone();
        let settled = self.disk.within(self.patience, move || {
            let directory = Directory::make(&path)?;
            match content {
                Some(content) => directory.replace(FILE, &content, Outlives::Process),
                None => directory.remove(FILE),
            }
        });
        match settled.await {
            Ok(()) => (self.owed, self.said) = (None, false),
            Err(error) if !std::mem::replace(&mut self.said, true) => self.complain(writes, &error),
            Err(_) => {}
        }
    }

    async fn owe(&mut self, content: Option<Content>) {
        let owed = Some(content);
        self.said &= self.owed == owed;
        self.owed = owed;
        self.settle().await;
    }

    fn complain(&self, writes: bool, error: &io::Error) {
        let path = self.directory.join(FILE).display().to_string();
        if writes {
            tracing::warn!(path, %error, "the fence is not recorded, which is tried again: an agent that is killed before that will not lift it when it is started anew");
        } else {
            tracing::warn!(path, %error, "the record of a fence that is lifted cannot be removed, which is tried again");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::os::unix::fs::PermissionsExt;

    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use tempfile::TempDir;
    use tokio::time::Instant;

    use super::*;
    use crate::disk::PATIENCE;

    const MODE: FenceMode = FenceMode::ReadOnly;
    const SOON: Duration = Duration::from_millis(20);

    fn run(began_s: u64) -> Run {
        Run::of(Duration::from_secs(began_s + 60), Duration::from_secs(60))
    }

    fn recorded() -> Recorded {
        Recorded { run: run(1000), mode: MODE }
    }

    #[tokio::test]
    async fn a_marker_is_read_as_it_was_written_until_it_is_removed() {
        let directory = TempDir::new().unwrap();
        let mut marker = Marker::new(&directory.path().join("state"), PATIENCE);
        assert_eq!(marker.read().await.unwrap(), None);
        marker.write(&run(1000), MODE).await;
        assert_eq!(marker.read().await.unwrap(), Some(recorded()));
        marker.remove().await;
        marker.remove().await;
        assert_eq!(marker.read().await.unwrap(), None);
    }

    #[tokio::test]
    async fn nobody_else_can_read_it() {
        let directory = TempDir::new().unwrap();
        Marker::new(directory.path(), PATIENCE).write(&run(1000), MODE).await;
        let mode = fs::metadata(directory.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    /// A pipe that nobody reads is opened as slowly as a file on a disk that hangs.
    #[tokio::test]
    async fn a_disk_that_hangs_holds_nobody_up_and_has_the_last_word_in_it_when_it_answers() {
        let directory = TempDir::new().unwrap();
        let (stuck, began) = (directory.path().join("fence.json.new"), Instant::now());
        mknodat(CWD, &stuck, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let mut marker = Marker::new(directory.path(), SOON);
        marker.write(&run(1000), MODE).await;
        marker.remove().await;
        assert!(began.elapsed() < PATIENCE && marker.owed.is_some());
        // Whoever reads lets the writer go on, which puts the pipe in the place of the file.
        let reader = OpenOptions::new().read(true).write(true).open(&stuck).unwrap();
        while marker.owed.is_some() {
            marker.settle().await;
        }
        drop(reader);
        assert!(fs::read_dir(directory.path()).unwrap().next().is_none());
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_written_once_it_can_be() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("state");
        fs::write(&path, "in the way").unwrap();
        let mut marker = Marker::new(&path, PATIENCE);
        marker.write(&run(1000), MODE).await;
        fs::remove_file(&path).unwrap();
        marker.settle().await;
        assert_eq!(marker.read().await.unwrap(), Some(recorded()));
    }

    #[test]
    fn a_run_is_told_from_the_next_one_and_from_that_of_another_boot() {
        assert!(run(1000).is(&run(1002)));
        assert!(!run(1000).is(&run(1010)));
        assert!(!run(1000).is(&Run { boot: "another".to_owned(), ..run(1000) }));
    }
}
