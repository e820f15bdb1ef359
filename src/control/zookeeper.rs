//! `Coordinator` on the `zookeeper-client` crate: sessions, requests, and the meaning of its errors. Retrying is
//! its caller's.

use std::time::Duration;

use tokio::sync::Mutex;
use zookeeper_client::{Acls, Client, CreateMode, Error as ZkError, SessionInfo, SessionState, StateWatcher};

use super::coordinator::{Children, Coordinator, CoordinatorError, LinkState, Outcome, Stat};

/// How to reach an ensemble.
#[derive(Debug, Clone)]
pub struct ZooKeeperConnector {
    /// `host:port[,host:port...][/chroot]`.
    pub servers: String,
    /// The session timeout to ask for.
    pub session_timeout: Duration,
}

impl ZooKeeperConnector {
    /// Opens a session, in about the session timeout at most.
    ///
    /// # Errors
    /// No server answered.
    pub async fn connect(&self) -> Result<ZooKeeper, CoordinatorError> {
        self.open(None).await.map_err(|e| failed(&format!("connect to {}", self.servers), &e))
    }

    /// Goes on with a session that the client library has given up, if the ensemble still holds it: it does after an
    /// outage of the whole ensemble, in which no session can expire. Where it does not, opens a new one.
    ///
    /// # Errors
    /// No server answered: the session may still be there.
    pub async fn resume(&self, last: &LastSession) -> Result<ZooKeeper, CoordinatorError> {
        match self.open(Some(last.0.clone())).await {
            Err(ZkError::SessionExpired) => self.connect().await,
            resumed => resumed.map_err(|e| failed(&format!("resume a session with {}", self.servers), &e)),
        }
    }

    async fn open(&self, last: Option<SessionInfo>) -> Result<ZooKeeper, ZkError> {
        let mut connector =
            Client::connector().with_session_timeout(self.session_timeout).with_fail_eagerly();
        if let Some(last) = last {
            connector = connector.with_session(last);
        }
        let client = connector.connect(&self.servers).await?;
        Ok(ZooKeeper { states: Mutex::new(client.state_watcher()), client })
    }
}

/// What is left of a session that cannot be used any more: its id and password.
#[derive(Debug, Clone)]
pub struct LastSession(SessionInfo);

/// A session with a ZooKeeper ensemble. Dropping it closes the session, which removes its ephemeral znodes.
pub struct ZooKeeper {
    client: Client,
    states: Mutex<StateWatcher>,
}

impl ZooKeeper {
    /// The session timeout that was agreed on with the server.
    #[must_use]
    pub fn session_timeout(&self) -> Duration {
        self.client.session_timeout()
    }

    /// Leaves off using the session.
    #[must_use]
    pub fn into_last(self) -> LastSession {
        LastSession(self.client.into_session())
    }

    /// Waits for a missing parent to be created.
    async fn children_of_missing(&self, path: &str, what: &str) -> Result<Children, CoordinatorError> {
        let (stat, watcher) = self.client.check_and_watch_stat(path).await.map_err(|e| failed(what, &e))?;
        // Created between the two requests: an empty watch makes the caller read again at once.
        let appeared = stat.is_some();
        let watch = Box::pin(async move {
            if !appeared {
                watcher.changed().await;
            }
        });
        Ok(Children { names: Vec::new(), pzxid: 0, exists: false, watch })
    }
}

impl Coordinator for ZooKeeper {
    fn session_id(&self) -> i64 {
        self.client.session_id().0
    }

    async fn link_changed(&self) -> LinkState {
        match self.states.lock().await.changed().await {
            SessionState::SyncConnected => LinkState::Connected,
            SessionState::Disconnected | SessionState::ConnectedReadOnly => LinkState::Disconnected,
            SessionState::AuthFailed | SessionState::Expired | SessionState::Closed => LinkState::Over,
        }
    }

    async fn sync(&self, path: &str) -> Result<(), CoordinatorError> {
        self.client.sync(path).await.map_err(|e| failed(&format!("sync {path}"), &e))
    }

    async fn children(&self, path: &str) -> Result<Children, CoordinatorError> {
        let what = format!("list {path}");
        match self.client.get_and_watch_children(path).await {
            Ok((names, stat, watcher)) => {
                let watch = Box::pin(async move {
                    watcher.changed().await;
                });
                Ok(Children { names, pzxid: stat.pzxid, exists: true, watch })
            }
            Err(ZkError::NoNode) => self.children_of_missing(path, &what).await,
            Err(e) => Err(failed(&what, &e)),
        }
    }

    async fn read(&self, path: &str) -> Result<Option<(Vec<u8>, Stat)>, CoordinatorError> {
        match self.client.get_data(path).await {
            Ok((data, stat)) => {
                Ok(Some((data, Stat { czxid: stat.czxid, ephemeral_owner: stat.ephemeral_owner })))
            }
            Err(ZkError::NoNode) => Ok(None),
            Err(e) => Err(failed(&format!("read {path}"), &e)),
        }
    }

    async fn create_sequential(&self, prefix: &str, data: &[u8]) -> Result<(String, Stat), CoordinatorError> {
        let options = CreateMode::EphemeralSequential.with_acls(Acls::anyone_all());
        let (stat, sequence) = self
            .client
            .create(prefix, data, &options)
            .await
            .map_err(|e| failed(&format!("create {prefix}"), &e))?;
        let stat = Stat { czxid: stat.czxid, ephemeral_owner: stat.ephemeral_owner };
        Ok((format!("{prefix}{sequence}"), stat))
    }

    async fn delete(&self, path: &str) -> Result<bool, CoordinatorError> {
        match self.client.delete(path, None).await {
            Ok(()) => Ok(true),
            Err(ZkError::NoNode) => Ok(false),
            Err(e) => Err(failed(&format!("delete {path}"), &e)),
        }
    }

    /// The library takes a chroot for existing; here it is created as well, from the ensemble's own root.
    async fn ensure_path(&self, path: &str) -> Result<(), CoordinatorError> {
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        let whole = format!("{}{path}", self.client.path().trim_end_matches('/'));
        let from_root = self.client.clone().chroot("/").unwrap_or_else(|unchanged| unchanged);
        from_root.mkdir(&whole, &options).await.map_err(|e| failed(&format!("create {whole}"), &e))
    }
}

/// The meaning of the library's errors: an end of file gives `ConnectionLoss`, an idle timeout or a reset gives
/// `Custom`, and both leave the outcome open.
fn failed(what: &str, error: &ZkError) -> CoordinatorError {
    let outcome = match error {
        ZkError::SessionExpired | ZkError::AuthFailed | ZkError::ClientClosed | ZkError::NoHosts => {
            Outcome::SessionOver
        }
        ZkError::ConnectionLoss | ZkError::Timeout | ZkError::UnexpectedError(_) | ZkError::Custom(_) => {
            Outcome::Unknown
        }
        _ => Outcome::Refused,
    };
    CoordinatorError { what: what.to_owned(), cause: error.to_string(), outcome }
}
