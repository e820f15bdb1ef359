//! How a session with an ensemble is opened or gone on with. What is asked on it is `zookeeper`'s, when to try again
//! the caller's.

use std::time::Duration;

use zookeeper_client::{Client, Error as ZkError, SessionInfo};

use super::access::{Creator, Credentials};
use super::coordinator::{CoordinatorError, Outcome};
use super::diagnosis::diagnose;
use super::failure::{failed, words};
use super::saved::{self, SavedSession};
use super::zookeeper::ZooKeeper;
use crate::config::{ZooKeeperAccess, ZooKeeperAcl};

/// How to reach an ensemble, and who this is to it.
#[derive(Debug, Clone)]
pub struct ZooKeeperConnector {
    /// `host:port[,host:port...][/chroot]`.
    pub servers: String,
    /// The session timeout to ask for.
    pub session_timeout: Duration,
    access: ZooKeeperAccess,
    acl: ZooKeeperAcl,
}

/// What is left of a session that cannot be used any more: its id and password.
#[derive(Debug, Clone)]
pub struct LastSession(SessionInfo);

/// Why there is no session.
enum NoSession {
    /// The settings cannot be used.
    Settings(String),
    /// The library's error, to a digest user of this name.
    Failed(ZkError, Option<String>),
}

impl ZooKeeperConnector {
    /// Reaches `servers` as nobody, in the clear. What it creates is open to everybody.
    #[must_use]
    pub fn new(servers: String, session_timeout: Duration) -> Self {
        Self { servers, session_timeout, access: ZooKeeperAccess::default(), acl: ZooKeeperAcl::Open }
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
        match self.open(None).await {
            Ok(session) => Ok(session),
            Err(NoSession::Failed(ZkError::AuthFailed, name)) => {
                Err(denied(what, words(&ZkError::AuthFailed, name.as_deref())))
            }
            Err(NoSession::Failed(error, name)) => {
                let told = diagnose(&self.servers, &self.access).await;
                let error = failed(&what, &error, name.as_deref());
                Err(CoordinatorError { cause: told.unwrap_or(error.cause), ..error })
            }
            Err(NoSession::Settings(cause)) => Err(denied(what, cause)),
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
            Err(NoSession::Failed(error, name)) => Err(failed(&what, &error, name.as_deref())),
            Err(NoSession::Settings(cause)) => Err(denied(what, cause)),
        }
    }

    async fn open(&self, last: Option<SessionInfo>) -> Result<ZooKeeper, NoSession> {
        let credentials = Credentials::read(&self.access, &self.servers).map_err(NoSession::Settings)?;
        let name = credentials.user().map(str::to_owned);
        let mut connector =
            Client::connector().with_session_timeout(self.session_timeout).with_fail_eagerly();
        if let Some(digest) = &credentials.digest {
            connector = connector.with_auth("digest", digest.as_bytes());
        }
        if let Some(last) = last {
            connector = connector.with_session(last);
        }
        let client = match credentials.tls {
            Some(tls) => connector.with_tls(tls.options).secure_connect(&self.servers).await,
            None => connector.connect(&self.servers).await,
        };
        match client {
            Ok(client) => Ok(ZooKeeper::new(client, Creator { name, acl: self.acl })),
            Err(error) => Err(NoSession::Failed(error, name)),
        }
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
