//! Monitoring connections to servers: with the account of the settings, never through the relay.

use capitana_core::HostPort;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as SqlError, Opts};

use crate::config::{MonitorAccount, Secret};
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

/// Opens one whose reads wait for nothing, whatever the server's default is.
///
/// # Errors
/// As [`open`].
pub async fn connect(account: &MonitorAccount, upstream: &HostPort) -> Result<Conn, SqlError> {
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
pub async fn open(
    account: &MonitorAccount,
    upstream: &HostPort,
    wait: SyncWait,
) -> Result<Option<Conn>, SqlError> {
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

async fn bare(account: &MonitorAccount, upstream: &HostPort) -> Result<Conn, SqlError> {
    let password = account.password.as_ref().map(Secret::read).transpose();
    let password = password.map_err(|e| SqlError::Other(Box::new(e)))?;
    let opts =
        mariadb::account(&account.user, password).ip_or_hostname(upstream.host()).tcp_port(upstream.port());
    Conn::new(Opts::from(opts)).await
}
