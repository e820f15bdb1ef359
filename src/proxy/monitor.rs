//! Monitoring connections to servers: with the account of the settings, never through the relay.

use capitana_core::HostPort;
use mysql_async::{Conn, Error as SqlError, Opts};

use crate::config::MonitorAccount;
use crate::mariadb;

/// Opens one. Its reads see what the server has applied; nothing is waited for.
///
/// # Errors
/// The server's error, or that of the network. The password file is read each time, so that a new password needs no
/// restart.
pub async fn connect(account: &MonitorAccount, upstream: &HostPort) -> Result<Conn, SqlError> {
    let password = match &account.password_file {
        Some(path) => Some(mariadb::password(path).map_err(|e| SqlError::Other(Box::new(e)))?),
        None => None,
    };
    let opts = mariadb::account(&account.user, password)
        .ip_or_hostname(upstream.host())
        .tcp_port(upstream.port())
        .init(vec!["SET SESSION wsrep_sync_wait=0"]);
    Conn::new(Opts::from(opts)).await
}
