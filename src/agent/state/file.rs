//! The state directory on the disk: made for this user only, locked by one process, its files replaced as a whole. What is
//! in them is their users'. All of this waits for the disk: it is done off the agent's thread (`crate::disk`).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Held by the agent that runs. It is a file of its own: the other one is replaced.
pub(super) const LOCK: &str = "agent.lock";
/// The files have some 700 bytes; what is much longer is something else.
const LONGEST: u64 = 64 << 10;

/// What a file's content has to outlive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::agent) enum Outlives {
    /// This process: it says nothing once the machine was started anew. The disk need not have it.
    Process,
    /// This start of the machine, and a loss of its power.
    Machine,
}

/// A directory that exists.
#[derive(Debug)]
pub(in crate::agent) struct Directory(PathBuf);

impl Directory {
    /// The directory at `path`, made where it is missing.
    pub(in crate::agent) fn make(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Self(path.to_owned()))
    }

    /// Takes the directory for this process, until the file is closed. `ResourceBusy`: another one has it.
    pub(super) fn lock(&self) -> io::Result<File> {
        let lock = private().truncate(false).open(self.0.join(LOCK))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(lock),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(io::Error::from(io::ErrorKind::ResourceBusy)),
            Err(error) => Err(error.into()),
        }
    }

    /// What was written last. A file that is none of ours is put aside, for a person to look at.
    pub(in crate::agent) fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        let path = self.0.join(name);
        let mut text = Vec::new();
        match File::open(&path) {
            Ok(file) => file.take(LONGEST).read_to_end(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match serde_json::from_slice(&text) {
            Ok(kept) => Ok(Some(kept)),
            Err(error) => {
                let aside = self.0.join(format!("{name}.unreadable"));
                fs::rename(&path, &aside)?;
                tracing::warn!(file = %path.display(), kept_as = %aside.display(), cause = %error, "a file of the state directory cannot be understood, and counts as missing");
                Ok(None)
            }
        }
    }

    /// Replaces what is kept: after a crash there is the old or the new, whole.
    pub(in crate::agent) fn replace<T: Serialize>(
        &self,
        name: &str,
        kept: &T,
        outlives: Outlives,
    ) -> io::Result<()> {
        let (path, new) = (self.0.join(name), self.0.join(format!("{name}.new")));
        let mut file = private().truncate(true).open(&new)?;
        file.write_all(&serde_json::to_vec_pretty(kept)?)?;
        file.write_all(b"\n")?;
        if outlives == Outlives::Process {
            return fs::rename(&new, &path);
        }
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(&self.0)?.sync_all()
    }

    /// Removes a file, if it is there.
    pub(in crate::agent) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.0.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}
