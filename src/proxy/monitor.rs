//! Monitoring connections to servers: with the account of the settings, never through the relay.

use capitana_core::HostPort;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as SqlError, Opts};

use crate::config::MonitorAccount;
use crate::disk::{Disk, PATIENCE};
use crate::mariadb;

/// MariaDB's error for a variable it does not know (ER_UNKNOWN_SYSTEM_VARIABLE).
const UNKNOWN_VARIABLE: u16 = 1193;

/// What a connection's reads wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncWait {
    /// Nothing: they show what the server has applied.
    Nothing,
    /// Everything that the cluster has committed.
    Reads,
}

/// As whom a proxy asks servers.
#[derive(Debug, Clone)]
pub struct Account {
    settings: MonitorAccount,
    /// Where the password is. One that does not answer holds up nothing but the question.
    disk: Disk,
}

impl Account {
    /// The account of the settings, whose password is on `disk`.
    #[must_use]
    pub fn new(settings: MonitorAccount, disk: Disk) -> Self {
        Self { settings, disk }
    }
}

/// Opens one whose reads wait for nothing, whatever the server's default is.
///
/// # Errors
/// As [`open`].
pub async fn connect(account: &Account, upstream: &HostPort) -> Result<Conn, SqlError> {
    match open(account, upstream, SyncWait::Nothing).await? {
        Some(conn) => Ok(conn),
        None => bare(account, upstream).await,
    }
}

/// Opens one. None: the server was built without Galera and has nothing to wait for.
///
/// # Errors
/// The server's error, or that of the network. The password file is read each time, so that a new password needs no
/// restart.
pub async fn open(account: &Account, upstream: &HostPort, wait: SyncWait) -> Result<Option<Conn>, SqlError> {
    let mut conn = bare(account, upstream).await?;
    let set = match wait {
        SyncWait::Nothing => "SET SESSION wsrep_sync_wait=0",
        SyncWait::Reads => "SET SESSION wsrep_sync_wait=1",
    };
    match conn.query_drop(set).await {
        Ok(()) => Ok(Some(conn)),
        Err(SqlError::Server(error)) if error.code == UNKNOWN_VARIABLE => Ok(None),
        Err(error) => Err(error),
    }
}

async fn bare(Account { settings, disk }: &Account, upstream: &HostPort) -> Result<Conn, SqlError> {
    let password = match settings.password.clone() {
        Some(secret) => Some(disk.within(PATIENCE, move || secret.read()).await),
        None => None,
    };
    let password = password.transpose().map_err(|e| SqlError::Other(Box::new(e)))?;
    let opts =
        mariadb::account(&settings.user, password).ip_or_hostname(upstream.host()).tcp_port(upstream.port());
    Conn::new(Opts::from(opts)).await
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]
mod tests {
    use std::fs::OpenOptions;
    use std::process::Command;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::config::Secret;

    #[tokio::test]
    async fn a_password_file_that_does_not_answer_holds_up_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("password");
        assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
        let settings =
            MonitorAccount { user: "monitor".to_owned(), password: Some(Secret::File(file.clone())) };
        let (account, upstream) =
            (Account::new(settings, Disk::default()), HostPort::new("127.0.0.1", 1).unwrap());
        // On this one thread the limit could not end what holds the thread up.
        let waited = timeout(Duration::from_millis(50), connect(&account, &upstream)).await;
        assert!(waited.is_err(), "{waited:?}");
        // The read that hangs ends when somebody has written, and only then can the test.
        drop(OpenOptions::new().write(true).open(&file).unwrap());
    }
}
