//! The state directory on the disk: made for this user only, locked by one process, its file replaced as a whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Held by the agent that runs. It is a file of its own: the other one is replaced.
pub(super) const LOCK: &str = "agent.lock";
/// What is kept.
const FILE: &str = "agent.json";
/// What could not be read, for a person to look at.
const UNREADABLE: &str = "agent.json.unreadable";
/// The file has some 700 bytes; what is much longer is something else.
const LONGEST: u64 = 64 << 10;

/// A directory that exists.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    /// The directory at `path`, made where it is missing.
    pub(super) fn make(path: &Path) -> io::Result<Self> {
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

    /// What was written last. A file that is none of ours is put aside.
    pub(super) fn read<T: DeserializeOwned>(&self) -> io::Result<Option<T>> {
        let path = self.0.join(FILE);
        let mut text = Vec::new();
        match File::open(&path) {
            Ok(file) => file.take(LONGEST).read_to_end(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match serde_json::from_slice(&text) {
            Ok(kept) => Ok(Some(kept)),
            Err(error) => {
                let aside = self.0.join(UNREADABLE);
                fs::rename(&path, &aside)?;
                tracing::warn!(file = %path.display(), kept_as = %aside.display(), cause = %error, "the state file cannot be understood: a new identity");
                Ok(None)
            }
        }
    }

    /// Replaces what is kept: after a crash there is the old or the new, whole.
    pub(super) fn write<T: Serialize>(&self, kept: &T) -> io::Result<()> {
        let (path, new) = (self.0.join(FILE), self.0.join("agent.json.new"));
        let mut file = private().truncate(true).open(&new)?;
        file.write_all(&serde_json::to_vec_pretty(kept)?)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(&self.0)?.sync_all()
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    options
}
