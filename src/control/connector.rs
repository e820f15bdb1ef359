//! How a session with an ensemble is opened or gone on with. What is asked on it is `zookeeper`'s, when to try again
//! the caller's.

use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::ClientConfig;
use zookeeper_client::{Client, Error as ZkError, SessionInfo};

use super::access::{Creator, Credentials, Tls};
use super::coordinator::{CoordinatorError, Outcome};
use super::diagnosis::{Diagnosis, diagnose};
use super::failure::{failed, words};
use super::saved::{self, SavedSession};
use super::zookeeper::ZooKeeper;
use crate::config::{CommonConfig, ZooKeeperAccess, ZooKeeperAcl};
use crate::disk::{Disk, PATIENCE};

/// How often a session is asked for where a server answers and the user was shown. A server under Netty, as all are that
/// serve TLS, can acknowledge the user before it has said that the session is open; the client library then takes one for
/// the other and gives up (3.8.0 on a busy machine: 10 of 1,200 attempts).
const TRIES: u32 = 3;

/// How to reach an ensemble, and who this is to it.
#[derive(Debug, Clone)]
pub struct ZooKeeperConnector {
    /// `host:port[,host:port...][/chroot]`.
    pub servers: String,
    /// The session timeout to ask for.
    pub session_timeout: Duration,
    access: ZooKeeperAccess,
    acl: ZooKeeperAcl,
    disk: Disk,
}

/// What is left of a session that cannot be used any more: its id and password.
#[derive(Debug, Clone)]
pub struct LastSession(SessionInfo);

/// Why there is no session.
enum NoSession {
    /// The settings cannot be used.
    Settings(String),
    /// The library's error, to whom it was told.
    Failed(ZkError, Shown),
}

/// What the servers were shown.
struct Shown {
    /// The digest user.
    name: Option<String>,
    /// None: in the clear.
    tls: Option<Arc<ClientConfig>>,
}

impl ZooKeeperConnector {
    /// Reaches `servers` as nobody, in the clear. What it creates is open to everybody.
    #[must_use]
    pub fn new(servers: String, session_timeout: Duration) -> Self {
        let (access, acl, disk) = (ZooKeeperAccess::default(), ZooKeeperAcl::Open, Disk::default());
        Self { servers, session_timeout, access, acl, disk }
    }

    /// Reaches the ensemble that a daemon's settings name, as they say. None: they name none.
    #[must_use]
    pub fn of(config: &CommonConfig) -> Option<Self> {
        let connector = Self::new(config.zookeeper.clone()?, config.zookeeper_session_timeout);
        Some(connector.with_access(config.zookeeper_access.clone()).with_acl(config.zookeeper_acl))
    }

    /// The same, but as `access` says.
    #[must_use]
    pub fn with_access(self, access: ZooKeeperAccess) -> Self {
        Self { access, ..self }
    }

    /// The same, but what it creates has this ACL.
    #[must_use]
    pub fn with_acl(self, acl: ZooKeeperAcl) -> Self {
        Self { acl, ..self }
    }

    /// Opens a session, in about the session timeout at most.
    ///
    /// # Errors
    /// No server opened one; the cause says why, as far as it can be told from here.
    pub async fn connect(&self) -> Result<ZooKeeper, CoordinatorError> {
        let what = format!("connect to {}", self.servers);
        let mut tries = 1..TRIES;
        loop {
            let (error, shown) = match self.open(None).await {
                Ok(session) => return Ok(session),
                Err(NoSession::Failed(ZkError::AuthFailed, shown)) => {
                    return Err(denied(what, words(&ZkError::AuthFailed, shown.name.as_deref())));
                }
                Err(NoSession::Failed(error, shown)) => (error, shown),
                Err(NoSession::Settings(cause)) => return Err(denied(what, cause)),
            };
            let Diagnosis { why, answers } = diagnose(&self.servers, shown.tls).await;
            let confused = answers && shown.name.is_some();
            if !confused || tries.next().is_none() {
                let error = failed(&what, &error, shown.name.as_deref());
                return Err(CoordinatorError { cause: why.unwrap_or(error.cause), ..error });
            }
        }
    }

    /// Goes on with a session that the client library has given up, if the ensemble still holds it: it does after an
    /// outage of the whole ensemble, in which no session can expire. Where it does not, opens a new one.
    ///
    /// # Errors
    /// No server answered: the session may still be there.
    pub async fn resume(&self, last: &LastSession) -> Result<ZooKeeper, CoordinatorError> {
        let what = format!("resume a session with {}", self.servers);
        match self.open(Some(last.0.clone())).await {
            Ok(session) => Ok(session),
            Err(NoSession::Failed(ZkError::SessionExpired, _)) => self.connect().await,
            Err(NoSession::Failed(error, shown)) => Err(failed(&what, &error, shown.name.as_deref())),
            Err(NoSession::Settings(cause)) => Err(denied(what, cause)),
        }
    }

    async fn open(&self, last: Option<SessionInfo>) -> Result<ZooKeeper, NoSession> {
        let Credentials { digest, tls } = self.credentials().await.map_err(NoSession::Settings)?;
        let name = digest.as_deref().map(|digest| digest.split(':').next().unwrap_or_default().to_owned());
        let mut connector =
            Client::connector().with_session_timeout(self.session_timeout).with_fail_eagerly();
        if let Some(digest) = &digest {
            connector = connector.with_auth("digest", digest.as_bytes());
        }
        if let Some(last) = last {
            connector = connector.with_session(last);
        }
        let (client, tls) = match tls {
            Some(Tls { options, config }) => {
                (connector.with_tls(options).secure_connect(&self.servers).await, Some(config))
            }
            None => (connector.connect(&self.servers).await, None),
        };
        match client {
            Ok(client) => Ok(ZooKeeper::new(client, Creator { name, acl: self.acl })),
            Err(error) => Err(NoSession::Failed(error, Shown { name, tls })),
        }
    }

    /// A disk that hangs costs the session, and not the thread on which a server is fenced meanwhile.
    async fn credentials(&self) -> Result<Credentials, String> {
        let (access, servers) = (self.access.clone(), self.servers.clone());
        let read = self.disk.within(PATIENCE, move || Ok(Credentials::read(&access, &servers))).await;
        read.map_err(|error| format!("zookeeper-auth-file or a file for TLS: {error}"))?
    }
}

impl LastSession {
    /// Leaves off using a session.
    #[must_use]
    pub fn of(session: &ZooKeeper) -> Self {
        Self(session.info().clone())
    }

    /// What a later process needs to go on with the session. None: it cannot be had.
    pub async fn save(&self) -> Option<SavedSession> {
        saved::save(self.0.clone()).await.ok()
    }

    /// A session that an earlier process has saved. None: it cannot be used.
    pub async fn restore(saved: &SavedSession) -> Option<Self> {
        saved::restore(saved).await.ok().map(Self)
    }
}

/// Nothing will change until somebody changes a setting.
fn denied(what: String, cause: String) -> CoordinatorError {
    CoordinatorError { what, cause, outcome: Outcome::Denied }
}
