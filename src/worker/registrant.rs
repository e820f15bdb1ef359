//! The worker as the one whose znode the registrar keeps: wants it as its keeper does, stands in line by `line` or holds a
//! lock by `lock`, and publishes where it stands.
//!
//! No znode of its own is deleted while anything of the command is left: whoever comes next may begin at that moment.

use std::process;

use capitana_core::candidacy::Wish;
use capitana_core::registration::{Change, Event, OwnZnode, Registration, Request};
use capitana_core::worker::Terms;
use capitana_core::{Epoch, Link};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::metrics::WorkerMetrics;
use super::status::PlaceStatus;
use super::{line, lock};
use crate::control::{Coordinator, CoordinatorError};
use crate::registrar::{Answer, Registrant};

/// Who stands in line, and where.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    /// Tells this process's znodes from every other's.
    pub(super) guid: String,
    /// The host, for people.
    pub(super) node: String,
    /// How many may run.
    pub(super) terms: Terms,
    /// The znode whose children are the line, or the lock itself.
    pub(super) path: String,
    /// Whether it is a lock.
    pub(super) is_lock: bool,
}

/// What a worker writes into its znode. Everything may be missing: others may stand in line as well.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Data {
    guid: String,
    pub(super) node: String,
    pid: u32,
    version: String,
    pub(super) exclusive: bool,
}

/// What a look shows.
pub(super) struct Seen {
    /// The own znode that was looked for, and how many are before it.
    pub(super) own: Option<(Epoch, usize)>,
    /// Whether it may run.
    pub(super) runs: bool,
    /// Who holds the lock, where it is one.
    pub(super) held_by: Option<String>,
}

/// One worker.
pub(super) struct WorkerRegistrant {
    identity: Identity,
    session: i64,
    wish: watch::Receiver<Wish>,
    idle: watch::Receiver<bool>,
    stop: CancellationToken,
    status: watch::Sender<PlaceStatus>,
    metrics: WorkerMetrics,
    seen: Option<Seen>,
}

impl WorkerRegistrant {
    /// One that wants its znode as `wish` says and gives none up but while `idle`. Also answers where it publishes.
    pub(super) fn new(
        identity: Identity,
        wish: watch::Receiver<Wish>,
        idle: watch::Receiver<bool>,
        stop: CancellationToken,
        metrics: WorkerMetrics,
    ) -> (Self, watch::Receiver<PlaceStatus>) {
        let first = PlaceStatus {
            zookeeper: Link::NeverUp(None),
            znode: None,
            before: None,
            turn: None,
            held_by: None,
        };
        let (status, published) = watch::channel(first);
        let worker = Self { identity, session: 0, wish, idle, stop, status, metrics, seen: None };
        (worker, published)
    }
}

impl Identity {
    /// What it writes into its znode.
    pub(super) fn data(&self) -> Vec<u8> {
        let data = Data {
            guid: self.guid.clone(),
            node: self.node.clone(),
            pid: process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            exclusive: self.terms.exclusive,
        };
        // Strings and numbers alone: there is nothing that JSON could not hold.
        serde_json::to_vec(&data).unwrap_or_default()
    }

    /// Whether a znode with this data is its own.
    pub(super) fn owns(&self, data: &Data) -> bool {
        data.guid == self.guid
    }
}

impl Registrant for WorkerRegistrant {
    type Seen = Seen;
    const LEAVES_QUIETLY: bool = true;

    fn wish(&self) -> Wish {
        if self.stop.is_cancelled() { Wish::Withdraw } else { *self.wish.borrow() }
    }

    fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    async fn changed(&mut self, told_to_stop: bool) {
        tokio::select! {
            () = self.stop.cancelled(), if !told_to_stop => {}
            Ok(()) = self.wish.changed() => {}
            else => std::future::pending().await,
        }
    }

    fn session_began(&mut self, id: i64) {
        self.session = id;
    }

    fn carry_out<'a, C: Coordinator>(
        &self,
        session: &'a C,
        request: Request,
    ) -> impl Future<Output = Result<Answer<Seen>, CoordinatorError>> + Send + use<'a, C> {
        let (me, mut idle) = (self.identity.clone(), self.idle.clone());
        async move {
            match (request, me.is_lock) {
                (Request::Look, true) => lock::look(session, &me).await,
                (Request::Look, false) => line::look(session, &me).await,
                (Request::EnsurePath, is_lock) => {
                    if is_lock {
                        lock::ensure_path(session, &me).await?;
                    } else {
                        line::ensure_path(session, &me).await?;
                    }
                    Ok(Event::PathReady.into())
                }
                (Request::Create, true) => lock::create(session, &me).await,
                (Request::Create, false) => line::create(session, &me).await,
                (Request::Delete(name), is_lock) => {
                    // A keeper that is gone has nothing that runs.
                    let _ = idle.wait_for(|idle| *idle).await;
                    if is_lock {
                        return lock::delete(session, &me).await;
                    }
                    session.delete(&format!("{}/{name}", me.path)).await?;
                    Ok(Event::Deleted.into())
                }
                // What a worker says of itself never changes.
                (Request::Update(_), _) => Ok(Event::Updated.into()),
            }
        }
    }

    fn saw(&mut self, seen: Seen) {
        self.seen = Some(seen);
    }

    fn link_is(&mut self, link: &Link) {
        self.status.send_if_modified(|status| {
            let changed = status.zookeeper != *link;
            status.zookeeper.clone_from(link);
            changed
        });
    }

    /// A znode whose turn it was in a look has it for as long as it is there: others only come behind it.
    fn stands(&mut self, registration: &Registration) {
        let znode = registration.znode().filter(|znode| znode.session == self.session);
        let seen = self.seen.as_ref();
        let own = znode.and_then(|znode| seen?.own.filter(|(epoch, _)| *epoch == znode.epoch));
        let turn = own.filter(|_| seen.is_some_and(|seen| seen.runs)).map(|(epoch, _)| epoch);
        let before = own.map(|(_, before)| before);
        let held_by = seen.and_then(|seen| seen.held_by.clone()).filter(|_| znode.is_none());
        let name = znode.map(|znode| self.path_of(znode));
        self.status.send_if_modified(|status| {
            let zookeeper = status.zookeeper.clone();
            let new = PlaceStatus { zookeeper, znode: name, before, turn, held_by };
            let old = std::mem::replace(status, new);
            old != *status
        });
    }

    fn changed_to(&mut self, change: &Change, registration: &Registration) {
        match change {
            Change::None => {}
            Change::Registered(znode) => {
                tracing::info!(znode = %self.path_of(znode), token = %znode.epoch, "in line");
            }
            Change::Withdrawn(znode) => tracing::info!(znode = %self.path_of(znode), "the place is given up"),
            Change::Lost(znode) => tracing::warn!(
                znode = %self.path_of(znode),
                "the place is lost: somebody deleted the znode, or its session is over"
            ),
            Change::RemovedLeftover(name) => {
                tracing::info!(name, "removed a znode of this worker that was left over");
            }
        }
        self.metrics.registered.set(i64::from(registration.znode().is_some()));
    }
}

impl WorkerRegistrant {
    fn path_of(&self, znode: &OwnZnode) -> String {
        if self.identity.is_lock {
            znode.name.clone()
        } else {
            format!("{}/{}", self.identity.path, znode.name)
        }
    }
}
