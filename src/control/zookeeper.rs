//! `Coordinator` on the `zookeeper-client` crate: requests on a session. Opening one is `connector`'s, the meaning of
//! errors `failure`'s, retrying the caller's.

use std::time::Duration;

use capitana_core::name_after_wrap;
use tokio::sync::Mutex;
use zookeeper_client::{
    Acl, Acls, Client, CreateMode, Error as ZkError, OneshotWatcher, Permission, SessionInfo, SessionState,
    Stat as ZkStat, StateWatcher,
};

use super::access::Creator;
use super::coordinator::{Children, Coordinator, CoordinatorError, Found, LinkState, Stat, Watch};
use super::failure::failed;
use crate::config::ZooKeeperAcl;

/// A session with a ZooKeeper ensemble. Dropping it closes the session, which removes its ephemeral znodes.
pub struct ZooKeeper {
    pub(super) client: Client,
    states: Mutex<StateWatcher>,
    pub(super) creator: Creator,
}

impl ZooKeeper {
    /// A session that is open. What is created on it is `creator`'s.
    pub(super) fn new(client: Client, creator: Creator) -> Self {
        Self { states: Mutex::new(client.state_watcher()), client, creator }
    }

    /// The session's id and password.
    pub(super) fn info(&self) -> &SessionInfo {
        self.client.session()
    }

    pub(super) fn failed(&self, what: &str, error: &ZkError) -> CoordinatorError {
        failed(what, error, self.creator.name.as_deref())
    }

    /// A sequential znode can be there already only when the parent's counter has come to its end. Somebody else may
    /// take the name first; whoever then fails is asked again later.
    async fn create_after_wrap(&self, prefix: &str, data: &[u8]) -> Result<(String, ZkStat), ZkError> {
        let (parent, _) = prefix.rsplit_once('/').unwrap_or_default();
        let names = self.client.list_children(parent).await?;
        let path = format!("{parent}/{}", name_after_wrap(names.iter().map(String::as_str)));
        let options = CreateMode::Ephemeral.with_acls(acls(self.creator.acl));
        let (stat, _) = self.client.create(&path, data, &options).await?;
        Ok((path, stat))
    }

    /// Waits for a missing parent to be created.
    async fn children_of_missing(&self, path: &str, what: &str) -> Result<Children, CoordinatorError> {
        let (stat, watcher) =
            self.client.check_and_watch_stat(path).await.map_err(|e| self.failed(what, &e))?;
        let watch = unless_there(stat.as_ref(), watcher);
        Ok(Children { names: Vec::new(), pzxid: 0, exists: false, watch })
    }
}

impl Coordinator for ZooKeeper {
    fn session_id(&self) -> i64 {
        self.client.session_id().0
    }

    fn session_timeout(&self) -> Duration {
        self.client.session_timeout()
    }

    async fn link_changed(&self) -> LinkState {
        match self.states.lock().await.changed().await {
            SessionState::SyncConnected => LinkState::Connected,
            SessionState::Disconnected | SessionState::ConnectedReadOnly => LinkState::Disconnected,
            SessionState::AuthFailed | SessionState::Expired | SessionState::Closed => LinkState::Over,
        }
    }

    async fn sync(&self, path: &str) -> Result<(), CoordinatorError> {
        self.client.sync(path).await.map_err(|e| self.failed(&format!("sync {path}"), &e))
    }

    async fn children(&self, path: &str) -> Result<Children, CoordinatorError> {
        let what = format!("list {path}");
        match self.client.get_and_watch_children(path).await {
            Ok((names, stat, watcher)) => {
                Ok(Children { names, pzxid: stat.pzxid, exists: true, watch: watch(watcher) })
            }
            Err(ZkError::NoNode) => self.children_of_missing(path, &what).await,
            Err(e) => Err(self.failed(&what, &e)),
        }
    }

    async fn list(&self, path: &str) -> Result<Option<Vec<String>>, CoordinatorError> {
        match self.client.list_children(path).await {
            Ok(names) => Ok(Some(names)),
            Err(ZkError::NoNode) => Ok(None),
            Err(e) => Err(self.failed(&format!("list {path}"), &e)),
        }
    }

    async fn read(&self, path: &str) -> Result<Found, CoordinatorError> {
        match self.client.get_data(path).await {
            Ok((data, stat)) => Ok(Some((data, known(&stat)))),
            Err(ZkError::NoNode) => Ok(None),
            Err(e) => Err(self.failed(&format!("read {path}"), &e)),
        }
    }

    async fn read_and_watch(&self, path: &str) -> Result<(Found, Watch), CoordinatorError> {
        let what = format!("read {path}");
        match self.client.get_and_watch_data(path).await {
            Ok((data, stat, watcher)) => Ok((Some((data, known(&stat))), watch(watcher))),
            Err(ZkError::NoNode) => {
                let answer = self.client.check_and_watch_stat(path).await;
                let (stat, watcher) = answer.map_err(|e| self.failed(&what, &e))?;
                Ok((None, unless_there(stat.as_ref(), watcher)))
            }
            Err(e) => Err(self.failed(&what, &e)),
        }
    }

    async fn create(&self, path: &str, data: &[u8]) -> Result<bool, CoordinatorError> {
        let options = CreateMode::Ephemeral.with_acls(acls(self.creator.acl));
        match self.client.create(path, data, &options).await {
            Ok(_) => Ok(true),
            Err(ZkError::NodeExists) => Ok(false),
            Err(e) => Err(self.failed(&format!("create {path}"), &e)),
        }
    }

    async fn create_sequential(&self, prefix: &str, data: &[u8]) -> Result<(String, Stat), CoordinatorError> {
        let options = CreateMode::EphemeralSequential.with_acls(acls(self.creator.acl));
        let created = match self.client.create(prefix, data, &options).await {
            Ok((stat, sequence)) => Ok((format!("{prefix}{sequence}"), stat)),
            Err(ZkError::NodeExists) => self.create_after_wrap(prefix, data).await,
            Err(error) => Err(error),
        };
        let (path, stat) = created.map_err(|e| self.failed(&format!("create {prefix}"), &e))?;
        Ok((path, known(&stat)))
    }

    async fn write(&self, path: &str, data: &[u8]) -> Result<bool, CoordinatorError> {
        match self.client.set_data(path, data, None).await {
            Ok(_) => Ok(true),
            Err(ZkError::NoNode) => Ok(false),
            Err(e) => Err(self.failed(&format!("write {path}"), &e)),
        }
    }

    async fn delete(&self, path: &str) -> Result<bool, CoordinatorError> {
        match self.client.delete(path, None).await {
            Ok(()) => Ok(true),
            Err(ZkError::NoNode) => Ok(false),
            Err(e) => Err(self.failed(&format!("delete {path}"), &e)),
        }
    }

    /// The library takes a chroot for existing; here it is created as well, from the ensemble's own root.
    async fn ensure_path(&self, path: &str) -> Result<(), CoordinatorError> {
        let options = CreateMode::Persistent.with_acls(acls(self.creator.acl));
        let whole = format!("{}{path}", self.client.path().trim_end_matches('/'));
        let from_root = self.client.clone().chroot("/").unwrap_or_else(|unchanged| unchanged);
        from_root.mkdir(&whole, &options).await.map_err(|e| self.failed(&format!("create {whole}"), &e))
    }

    async fn close(self) {
        let mut states = self.states.into_inner();
        drop(self.client);
        while !states.changed().await.is_terminated() {}
    }
}

fn known(stat: &ZkStat) -> Stat {
    Stat {
        czxid: stat.czxid,
        ephemeral_owner: stat.ephemeral_owner,
        mzxid: stat.mzxid,
        version: stat.version,
        modified_ms: stat.mtime,
    }
}

fn watch(watcher: OneshotWatcher) -> Watch {
    Box::pin(async move {
        watcher.changed().await;
    })
}

/// The watch on a znode that was missing a request ago: if it has appeared since, it is to be read again at once.
fn unless_there(stat: Option<&ZkStat>, watcher: OneshotWatcher) -> Watch {
    if stat.is_some() { Box::pin(std::future::ready(())) } else { watch(watcher) }
}

/// `auth` is whoever the connection has proved to be; the read right beside it is for everybody.
const CREATOR_AND_READ: &[Acl] =
    &[Acl::new_const(Permission::ALL, "auth", ""), Acl::new_const(Permission::READ, "world", "anyone")];

pub(super) fn acls(acl: ZooKeeperAcl) -> Acls<'static> {
    match acl {
        ZooKeeperAcl::Open => Acls::anyone_all(),
        ZooKeeperAcl::CreatorAndRead => Acls::new(CREATOR_AND_READ),
        ZooKeeperAcl::Creator => Acls::creator_all(),
    }
}
