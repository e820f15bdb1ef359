//! A ZooKeeper of one election path, in memory: sessions, ephemeral znodes, one-shot watches, and the faults that a
//! test orders. It owns no test.

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use capitana::control::{Children, Coordinator, CoordinatorError, Found, LinkState, Outcome, Stat, Watch};
use capitana::registrar::Connect;
use tokio::sync::{Barrier, watch};
use tokio_util::sync::CancellationToken;

pub(crate) const PATH: &str = "/mariadb/primary";

/// What happens to a create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is carried out and the reply is lost.
    LoseReply,
    /// It is lost on its way.
    LoseRequest,
}

#[derive(Default)]
struct State {
    path_exists: bool,
    zxid: i64,
    sessions: i64,
    /// Whether a session that is over for the client lives on here.
    keeps_sessions: bool,
    znodes: BTreeMap<String, (Vec<u8>, Stat)>,
    create_faults: VecDeque<Fault>,
    watches: Vec<CancellationToken>,
    link: Option<watch::Sender<LinkState>>,
    /// The largest number of znodes there ever was.
    most: usize,
}

/// The ensemble; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct FakeZooKeeper {
    state: Arc<Mutex<State>>,
    open_sessions: Arc<AtomicUsize>,
    /// Reads are answered when this many have been asked.
    reads_together: Arc<Mutex<Option<Arc<Barrier>>>>,
    requests: Arc<AtomicUsize>,
}

impl FakeZooKeeper {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Name, data and stat of each znode.
    pub(crate) fn znodes(&self) -> Vec<(String, Vec<u8>, Stat)> {
        self.state().znodes.iter().map(|(name, (data, stat))| (name.clone(), data.clone(), *stat)).collect()
    }

    pub(crate) fn most_znodes(&self) -> usize {
        self.state().most
    }

    pub(crate) fn open_sessions(&self) -> usize {
        self.open_sessions.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn order(&self, fault: Fault) {
        self.state().create_faults.push_back(fault);
    }

    /// Somebody deletes every znode.
    pub(crate) fn delete_all(&self) {
        let mut state = self.state();
        state.znodes.clear();
        fire(&mut state);
    }

    /// From now on no read of a znode is answered before `count` have been asked.
    pub(crate) fn answer_reads_together(&self, count: usize) {
        *self.reads_together.lock().unwrap() = Some(Arc::new(Barrier::new(count)));
    }

    /// From now on a session that is over for the client can be resumed, as after an outage of all servers.
    pub(crate) fn keep_sessions(&self) {
        self.state().keeps_sessions = true;
    }

    /// Changes the link of the newest session.
    pub(crate) fn set_link(&self, link: LinkState) {
        if let Some(sender) = &self.state().link {
            sender.send_replace(link);
        }
    }
}

fn fire(state: &mut State) {
    state.zxid += 1;
    state.watches.drain(..).for_each(|watch| watch.cancel());
}

impl Connect for FakeZooKeeper {
    type Session = FakeSession;
    type Last = i64;

    async fn connect(&self, last: Option<&i64>) -> Result<FakeSession, CoordinatorError> {
        let (sender, link) = watch::channel(LinkState::Connected);
        let mut state = self.state();
        let id = match last {
            Some(last) if state.keeps_sessions => *last,
            _ => {
                state.sessions += 1;
                state.sessions
            }
        };
        state.link = Some(sender);
        self.open_sessions.fetch_add(1, Ordering::SeqCst);
        Ok(FakeSession { zookeeper: self.clone(), id, link: tokio::sync::Mutex::new(link) })
    }

    fn last(session: FakeSession) -> i64 {
        session.id
    }
}

pub(crate) struct FakeSession {
    zookeeper: FakeZooKeeper,
    id: i64,
    link: tokio::sync::Mutex<watch::Receiver<LinkState>>,
}

impl Drop for FakeSession {
    fn drop(&mut self) {
        self.zookeeper.open_sessions.fetch_sub(1, Ordering::SeqCst);
        fire(&mut self.zookeeper.state());
    }
}

impl FakeSession {
    fn asked(&self) -> MutexGuard<'_, State> {
        self.zookeeper.requests.fetch_add(1, Ordering::SeqCst);
        self.zookeeper.state()
    }
}

impl Coordinator for FakeSession {
    fn session_id(&self) -> i64 {
        self.id
    }

    fn session_timeout(&self) -> Duration {
        Duration::from_secs(6)
    }

    async fn link_changed(&self) -> LinkState {
        let mut link = self.link.lock().await;
        match link.changed().await {
            Ok(()) => *link.borrow_and_update(),
            Err(_) => pending().await,
        }
    }

    async fn sync(&self, _: &str) -> Result<(), CoordinatorError> {
        drop(self.asked());
        Ok(())
    }

    async fn children(&self, _: &str) -> Result<Children, CoordinatorError> {
        let mut state = self.asked();
        let token = CancellationToken::new();
        state.watches.push(token.clone());
        let names = state.znodes.keys().cloned().collect();
        let watch = Box::pin(async move { token.cancelled().await });
        Ok(Children { names, pzxid: state.zxid, exists: state.path_exists, watch })
    }

    async fn list(&self, _: &str) -> Result<Option<Vec<String>>, CoordinatorError> {
        let state = self.asked();
        Ok(state.path_exists.then(|| state.znodes.keys().cloned().collect()))
    }

    async fn read(&self, path: &str) -> Result<Found, CoordinatorError> {
        let read = self.asked().znodes.get(name(path)).cloned();
        let together = self.zookeeper.reads_together.lock().unwrap().clone();
        if let Some(together) = together {
            together.wait().await;
        }
        Ok(read)
    }

    async fn read_and_watch(&self, path: &str) -> Result<(Found, Watch), CoordinatorError> {
        Ok((self.read(path).await?, self.children(path).await?.watch))
    }

    async fn create(&self, path: &str, data: &[u8]) -> Result<bool, CoordinatorError> {
        let mut state = self.asked();
        if state.znodes.contains_key(name(path)) {
            return Ok(false);
        }
        fire(&mut state);
        let stat = stat(&state, self.id);
        state.znodes.insert(name(path).to_owned(), (data.to_vec(), stat));
        Ok(true)
    }

    async fn write(&self, path: &str, data: &[u8]) -> Result<bool, CoordinatorError> {
        let mut state = self.asked();
        let Some((written, _)) = state.znodes.get_mut(name(path)) else { return Ok(false) };
        *written = data.to_vec();
        Ok(true)
    }

    async fn create_sequential(&self, prefix: &str, data: &[u8]) -> Result<(String, Stat), CoordinatorError> {
        let mut state = self.asked();
        let fault = state.create_faults.pop_front();
        if !state.path_exists {
            return Err(error("create", Outcome::Refused));
        }
        if fault == Some(Fault::LoseRequest) {
            return Err(error("create", Outcome::Unknown));
        }
        fire(&mut state);
        let stat = stat(&state, self.id);
        let path = format!("{prefix}{:010}", state.zxid);
        state.znodes.insert(name(&path).to_owned(), (data.to_vec(), stat));
        state.most = state.most.max(state.znodes.len());
        match fault {
            Some(_) => Err(error("create", Outcome::Unknown)),
            None => Ok((path, stat)),
        }
    }

    async fn delete(&self, path: &str) -> Result<bool, CoordinatorError> {
        let mut state = self.asked();
        let existed = state.znodes.remove(name(path)).is_some();
        fire(&mut state);
        Ok(existed)
    }

    async fn ensure_path(&self, path: &str) -> Result<(), CoordinatorError> {
        assert_eq!(path, PATH);
        self.asked().path_exists = true;
        Ok(())
    }

    async fn close(self) {}
}

/// Of what has just been created.
fn stat(state: &State, owner: i64) -> Stat {
    Stat { czxid: state.zxid, ephemeral_owner: owner, mzxid: state.zxid, version: 0, modified_ms: 0 }
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn error(what: &str, outcome: Outcome) -> CoordinatorError {
    CoordinatorError { what: what.to_owned(), cause: "ordered by the test".to_owned(), outcome }
}
