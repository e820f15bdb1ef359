//! What the agent knows after a restart: the node's identity, how often it was started, and its session with ZooKeeper.
//! It owns the state directory's lock and `agent.json`. What follows from them is decided elsewhere.
//!
//! An agent whose directory cannot be used is started all the same, with an identity for this one run: that its server
//! can be elected matters more. What it leaves behind when it is killed is then waited for instead of removed.

mod file;
mod host;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use capitana_core::MemberData;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::status::Others;
use crate::control::SavedSession;
use crate::disk::{Disk, PATIENCE};
use crate::error::{Error, Origin};
pub(in crate::agent) use file::{Directory, Outlives};
pub use host::Host;
pub(in crate::agent) use host::boot;

/// What is kept of the agent itself.
const FILE: &str = "agent.json";

/// Who this agent is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The node's GUID: stable, if there is a state directory.
    pub guid: String,
    /// Which start of the agent this is, from 1. None: nobody counts.
    pub incarnation: Option<u64>,
    /// The session of the agent that ran here before, if it can be gone on with.
    pub session: Option<SavedSession>,
    /// What was learnt before.
    pub learnt: Learnt,
}

/// What an agent has learnt of its server and of the election: true until it learns something else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Learnt {
    /// Whether the server has said that it is a Galera node.
    pub galera: bool,
    /// The other candidates of the last reading.
    pub others: Others,
}

/// Where a session is good for: with another place or other data its znode would be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// ZooKeeper's connect string.
    pub zookeeper: String,
    /// The znode whose children are the candidates.
    pub election_path: String,
    /// What the znode says.
    pub member: MemberData,
}

/// What is in `agent.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    guid: String,
    incarnation: u64,
    /// Where the directory was made: a copy of it elsewhere is another node's.
    host: Host,
    #[serde(flatten)]
    known: Known,
}

/// The part that changes while the agent runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Known {
    session: Option<KeptSession>,
    learnt: Learnt,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptSession {
    /// A session outlives no restart of the machine, and a copy of the machine has started by itself.
    boot: String,
    place: Place,
    session: SavedSession,
}

/// The state directory, for as long as the agent runs.
#[derive(Debug, Clone)]
pub struct State {
    known: watch::Sender<Known>,
    boot: Option<String>,
    place: Place,
}

/// Takes the state directory at `path` for the agent on `host`, and answers who the agent is.
///
/// # Errors
/// Another agent has it.
pub async fn open(path: &Path, host: Host, place: Place) -> Result<(Option<State>, Identity), Error> {
    let (directory, on) = (path.to_owned(), host.clone());
    // A disk that is stuck does not keep the agent from starting.
    match Disk::default().within(PATIENCE, move || start(&directory, on)).await {
        Ok((lock, directory, kept)) => {
            let session = kept.known.session.as_ref().filter(|kept| kept.is_good(&place, boot().as_deref()));
            let identity = Identity {
                guid: kept.guid.clone(),
                incarnation: Some(kept.incarnation),
                session: session.map(|kept| kept.session.clone()),
                learnt: kept.known.learnt.clone(),
            };
            Ok((Some(State::keep(lock, directory, kept, place)), identity))
        }
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Err(busy(path)),
        Err(error) => {
            tracing::warn!(
                directory = %path.display(),
                cause = %error,
                "the state directory cannot be used: after a restart the agent will not know itself again (state-directory)"
            );
            let guid = Uuid::new_v4().to_string();
            Ok((None, Identity { guid, incarnation: None, session: None, learnt: Learnt::default() }))
        }
    }
}

fn busy(path: &Path) -> Error {
    Error::Setting {
        origin: Origin::Unset("state-directory".to_owned()),
        problem: format!(
            "another agent runs with {}: stop it (`fuser {}` names it), or give this one a directory of its own",
            path.display(),
            path.join(file::LOCK).display()
        ),
    }
}

/// One start more, written down before anything is done with it.
fn start(path: &Path, host: Host) -> io::Result<(File, Directory, Kept)> {
    let directory = Directory::make(path)?;
    let lock = directory.lock()?;
    let known = directory.read(FILE)?.filter(|kept: &Kept| {
        let here = kept.host == host;
        if !here {
            tracing::warn!(made_on = %kept.host, this = %host, "the state directory is a copy of another node's: a new identity");
        }
        here
    });
    let kept = match known {
        Some(kept) => Kept { incarnation: kept.incarnation.saturating_add(1), ..kept },
        None => Kept { guid: Uuid::new_v4().to_string(), incarnation: 1, host, known: Known::default() },
    };
    directory.replace(FILE, &kept, Outlives::Machine)?;
    Ok((lock, directory, kept))
}

impl KeptSession {
    fn is_good(&self, place: &Place, boot: Option<&str>) -> bool {
        self.place == *place && boot == Some(self.boot.as_str())
    }
}

impl State {
    fn keep(lock: File, directory: Directory, kept: Kept, place: Place) -> Self {
        let (known, news) = watch::channel(kept.known.clone());
        tokio::spawn(write_on(lock, Arc::new(directory), kept, news));
        Self { known, boot: boot(), place }
    }

    /// Keeps `session` for the next start.
    pub fn remember(&self, session: SavedSession) {
        if let Some(boot) = self.boot.clone() {
            let place = self.place.clone();
            self.known.send_modify(|known| known.session = Some(KeptSession { boot, place, session }));
        }
    }

    /// Keeps what was learnt for the next start.
    pub fn learn(&self, learn: impl FnOnce(&mut Learnt)) {
        self.known.send_if_modified(|known| {
            let before = known.learnt.clone();
            learn(&mut known.learnt);
            before != known.learnt
        });
    }
}

/// Writes each change down, off the thread of the checks and pings: a disk may be stuck.
async fn write_on(_lock: File, directory: Arc<Directory>, mut kept: Kept, mut news: watch::Receiver<Known>) {
    while news.changed().await.is_ok() {
        kept.known.clone_from(&news.borrow_and_update());
        let (directory, kept) = (Arc::clone(&directory), kept.clone());
        let written = spawn_blocking(move || directory.replace(FILE, &kept, Outlives::Machine)).await;
        if let Err(error) = written.unwrap_or_else(|panicked| Err(io::Error::other(panicked))) {
            tracing::warn!(cause = %error, "the session, and what was learnt, is not kept: an agent that is started anew will not know it (state-directory)");
        }
    }
}

#[cfg(test)]
mod tests;
