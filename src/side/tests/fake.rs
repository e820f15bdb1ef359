//! A ZooKeeper in memory: znodes and who owns them, watches that any change fires, replies and links that are lost at a test's
//! order. It owns no test.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::control::{Children, Coordinator, CoordinatorError, Found, LinkState, Outcome, Stat, Watch};

/// Everything here takes milliseconds, on a busy machine some more.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
pub(crate) struct Tree {
    /// Data and owner by path. Parents need not be there.
    znodes: BTreeMap<String, (Vec<u8>, i64)>,
    /// So many creates are carried out and not answered.
    pub(crate) lost_replies: usize,
    pub(crate) most_znodes: usize,
    /// Znodes that were deleted.
    pub(crate) deleted: usize,
}

/// An ensemble; clones are the same one.
#[derive(Clone)]
pub(crate) struct Fake {
    tree: Arc<Mutex<Tree>>,
    changed: watch::Sender<u64>,
    pub(crate) requests: Arc<AtomicUsize>,
    pub(crate) link: watch::Sender<LinkState>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self {
            tree: Arc::default(),
            changed: watch::Sender::new(0),
            requests: Arc::default(),
            link: watch::Sender::new(LinkState::Connected),
        }
    }

    pub(crate) fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap()
    }

    fn asked(&self) -> MutexGuard<'_, Tree> {
        self.requests.fetch_add(1, SeqCst);
        self.tree()
    }

    pub(crate) fn put(&self, path: &str, data: &[u8], owner: i64) {
        self.tree().znodes.insert(path.to_owned(), (data.to_vec(), owner));
        self.changed.send_modify(|change| *change += 1);
    }

    pub(crate) fn clear(&self) {
        self.tree().znodes.clear();
        self.changed.send_modify(|change| *change += 1);
    }

    /// Whether a znode's data contains this.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.tree().znodes.values().any(|(data, _)| String::from_utf8_lossy(data).contains(words))
    }

    /// Who owns each znode.
    pub(crate) fn owners(&self) -> Vec<i64> {
        self.tree().znodes.values().map(|(_, owner)| *owner).collect()
    }

    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let mut changed = self.changed.subscribe();
        let waited = timeout(PATIENCE, async {
            while !holds(self) {
                changed.changed().await.unwrap();
            }
        });
        assert!(waited.await.is_ok(), "not within {PATIENCE:?}: {what}");
    }

    pub(crate) fn session(&self, id: i64) -> FakeSession {
        FakeSession { fake: self.clone(), id, link: tokio::sync::Mutex::new(self.link.subscribe()) }
    }

    fn watch(&self) -> Watch {
        let mut changed = self.changed.subscribe();
        Box::pin(async move { drop(changed.changed().await) })
    }
}

pub(crate) struct FakeSession {
    fake: Fake,
    id: i64,
    link: tokio::sync::Mutex<watch::Receiver<LinkState>>,
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
        drop(self.fake.asked());
        Ok(())
    }

    async fn children(&self, path: &str) -> Result<Children, CoordinatorError> {
        let watch = self.fake.watch();
        let tree = self.fake.asked();
        let below = format!("{path}/");
        let mut names: Vec<_> =
            tree.znodes.keys().filter_map(|znode| znode.strip_prefix(&below)?.split('/').next()).collect();
        names.dedup();
        let names: Vec<_> = names.into_iter().map(str::to_owned).collect();
        Ok(Children { exists: !names.is_empty(), names, pzxid: 0, watch })
    }

    async fn list(&self, path: &str) -> Result<Option<Vec<String>>, CoordinatorError> {
        let children = self.children(path).await?;
        Ok(children.exists.then_some(children.names))
    }

    async fn read(&self, path: &str) -> Result<Found, CoordinatorError> {
        let found = self.fake.asked().znodes.get(path).cloned();
        Ok(found.map(|(data, owner)| {
            (data, Stat { czxid: 1, mzxid: 1, version: 0, modified_ms: 0, ephemeral_owner: owner })
        }))
    }

    async fn read_and_watch(&self, path: &str) -> Result<(Found, Watch), CoordinatorError> {
        let watch = self.fake.watch();
        Ok((self.read(path).await?, watch))
    }

    async fn create(&self, path: &str, data: &[u8]) -> Result<bool, CoordinatorError> {
        let mut tree = self.fake.asked();
        if tree.znodes.contains_key(path) {
            return Ok(false);
        }
        tree.znodes.insert(path.to_owned(), (data.to_vec(), self.id));
        tree.most_znodes = tree.most_znodes.max(tree.znodes.len());
        self.fake.changed.send_modify(|change| *change += 1);
        if tree.lost_replies > 0 {
            tree.lost_replies -= 1;
            let (what, cause) = ("create".to_owned(), "ordered by the test".to_owned());
            return Err(CoordinatorError { what, cause, outcome: Outcome::Unknown });
        }
        Ok(true)
    }

    async fn write(&self, path: &str, data: &[u8]) -> Result<bool, CoordinatorError> {
        let mut tree = self.fake.asked();
        let Some((written, _)) = tree.znodes.get_mut(path) else { return Ok(false) };
        *written = data.to_vec();
        self.fake.changed.send_modify(|change| *change += 1);
        Ok(true)
    }

    async fn create_sequential(&self, _: &str, _: &[u8]) -> Result<(String, Stat), CoordinatorError> {
        pending().await
    }

    async fn delete(&self, path: &str) -> Result<bool, CoordinatorError> {
        let mut tree = self.fake.asked();
        let existed = tree.znodes.remove(path).is_some();
        tree.deleted += usize::from(existed);
        drop(tree);
        self.fake.changed.send_modify(|change| *change += 1);
        Ok(existed)
    }

    async fn ensure_path(&self, _: &str) -> Result<(), CoordinatorError> {
        drop(self.fake.asked());
        Ok(())
    }

    async fn close(self) {}
}
