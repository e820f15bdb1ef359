//! Owns which lab has which addresses and which directory: slots, their locks, and the sweep of abandoned ones.
//!
//! Does not own what is done with the addresses.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::keeper;

/// The first and the last slot. A slot is the third byte of a loopback address.
const SLOTS: std::ops::RangeInclusive<u8> = 1..=250;

/// Where all labs of this machine live. Shared by all its users, as loopback addresses are.
#[derive(Debug, Clone)]
pub struct Base(PathBuf);

/// What one lab has to itself: the addresses `127.77.N.x` and a directory. Free again once it and its keeper are gone.
#[derive(Debug)]
pub struct Slot {
    number: u8,
    lock: File,
    directory: PathBuf,
}

impl Base {
    /// The machine's: one path for every user and every `TMPDIR`, as the loopback addresses are the whole machine's.
    pub fn of_this_machine() -> Self {
        Self(PathBuf::from("/tmp/capitana-lab"))
    }

    /// Takes the lowest free slot and makes its directory. Clears on the way what dead labs have left.
    ///
    /// # Errors
    /// All slots are taken, or the directory cannot be written.
    pub fn take(&self) -> Result<Slot> {
        self.prepare()?;
        self.sweep()?;
        for number in SLOTS {
            if let Some(lock) = self.lock(number)? {
                // The lab that had this slot a moment ago may have died since the sweep.
                self.clear(number)?;
                let directory = self.make_directory(number)?;
                return Ok(Slot { number, lock, directory });
            }
        }
        bail!("all {} lab slots are taken; end some of the labs under {}", SLOTS.count(), self.0.display())
    }

    /// Ends the processes and removes the directories of labs whose slot nobody holds.
    ///
    /// # Errors
    /// The directory cannot be read, or `sh` cannot be run.
    pub fn sweep(&self) -> Result<()> {
        for (number, _) in self.directories()? {
            if let Some(_lock) = self.lock(number)? {
                self.clear(number)?;
            }
        }
        Ok(())
    }

    /// Where the logs of failed runs are kept.
    pub fn failed(&self) -> PathBuf {
        self.0.join("failed")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    fn prepare(&self) -> Result<()> {
        for directory in [self.0.clone(), self.slots(), self.failed()] {
            if directory.is_dir() {
                continue;
            }
            fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
            fs::set_permissions(&directory, Permissions::from_mode(0o1777))?;
        }
        Ok(())
    }

    fn slots(&self) -> PathBuf {
        self.0.join("slots")
    }

    fn lock(&self, number: u8) -> Result<Option<File>> {
        try_lock(&self.slots().join(format!("{number}.lock")))
    }

    fn clear(&self, number: u8) -> Result<()> {
        let ours = rustix::process::geteuid().as_raw();
        for (_, directory) in self.directories()?.into_iter().filter(|(n, _)| *n == number) {
            if fs::metadata(&directory).is_ok_and(|metadata| ours == 0 || metadata.uid() == ours) {
                keeper::clear(&directory, &self.failed())?;
            }
        }
        Ok(())
    }

    fn make_directory(&self, number: u8) -> Result<PathBuf> {
        let random =
            fs::read_to_string("/proc/sys/kernel/random/uuid").context("cannot read a random name")?;
        let directory = self.0.join(format!("lab-{number}-{}", random.split('-').next().unwrap_or_default()));
        fs::create_dir(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        // mariadbd runs as another user when the lab is root's, and must be able to enter.
        fs::set_permissions(&directory, Permissions::from_mode(0o755))?;
        Ok(directory)
    }

    fn directories(&self) -> Result<Vec<(u8, PathBuf)>> {
        let entries = fs::read_dir(&self.0).with_context(|| format!("cannot read {}", self.0.display()))?;
        Ok(entries.flatten().filter_map(|entry| Some((slot_of(&entry.path())?, entry.path()))).collect())
    }
}

impl Slot {
    /// The lab's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The slot's number, from 1.
    pub fn number(&self) -> u8 {
        self.number
    }

    pub(crate) fn lock_file(&self) -> &File {
        &self.lock
    }

    /// Galera node `index` (from 0) and the agent beside it: `127.77.N.11` and up.
    pub fn node(&self, index: usize) -> Ipv4Addr {
        self.address(11, index)
    }

    /// ZooKeeper server `index` (from 0): `127.77.N.21` and up.
    pub fn zookeeper(&self, index: usize) -> Ipv4Addr {
        self.address(21, index)
    }

    /// Proxy `index` (from 0): `127.77.N.31` and up.
    pub fn proxy(&self, index: usize) -> Ipv4Addr {
        self.address(31, index)
    }

    /// Whatever else a scenario starts, `index` (from 0): `127.77.N.41` and up.
    pub fn other(&self, index: usize) -> Ipv4Addr {
        self.address(41, index)
    }

    /// What stands between agent `index` (from 0) and ZooKeeper, where anything does: `127.77.N.61` and up.
    pub fn door(&self, index: usize) -> Ipv4Addr {
        self.address(61, index)
    }

    /// Where node `index` receives a state transfer. A port of its own on this machine: the transfer script takes a
    /// port for taken when it is in use on any address.
    pub(crate) fn transfer(&self, index: usize) -> SocketAddr {
        let port = 10_000 + u16::from(self.number) * 10 + u16::try_from(index).unwrap_or_default();
        SocketAddr::from((self.node(index), port))
    }

    fn address(&self, first: u8, index: usize) -> Ipv4Addr {
        Ipv4Addr::new(127, 77, self.number, first + u8::try_from(index).unwrap_or_default())
    }
}

/// Locks the file at `path`, if nobody else has. Held as long as the file, or a duplicate of it, is open.
pub(crate) fn try_lock(path: &Path) -> Result<Option<File>> {
    let file = open_shared(path).with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Opens a file that any user may lock. Not created when it is there: the kernel forbids that to others in a sticky
/// directory (`fs.protected_regular`).
fn open_shared(path: &Path) -> io::Result<File> {
    match OpenOptions::new().read(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            file.set_permissions(Permissions::from_mode(0o644))?;
            Ok(file)
        }
        opened => opened,
    }
}

fn slot_of(directory: &Path) -> Option<u8> {
    let name = directory.file_name()?.to_str()?.strip_prefix("lab-")?;
    name.split('-').next()?.parse().ok()
}
