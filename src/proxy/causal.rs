//! Causal reads on a server, on a monitoring connection of its own: one passes when the server has applied everything
//! that any member of the cluster had committed when it began. It owns the connection; when to read is its caller's.

use std::time::Duration;

use capitana_core::HostPort;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as SqlError};

use super::monitor::{Account, SyncWait, open};

/// What a causal read showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It passed; it began at this time.
    Passed(Duration),
    /// The server knows no causal reads: it was built without Galera.
    NoGalera,
}

/// Reads from one server.
pub struct Causal {
    account: Account,
    upstream: HostPort,
    conn: Option<Conn>,
}

impl Causal {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(account: Account, upstream: &HostPort) -> Self {
        Self { account, upstream: upstream.clone(), conn: None }
    }

    /// Makes one read; it may take as long as the server lags. After an error, or when the future is dropped, the next
    /// one begins with a new connection. `now` is asked when the read begins.
    ///
    /// # Errors
    /// The server's error, or that of the network.
    pub async fn read(&mut self, now: impl Fn() -> Duration) -> Result<Answer, SqlError> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => match open(&self.account, &self.upstream, SyncWait::Reads).await? {
                Some(conn) => conn,
                None => return Ok(Answer::NoGalera),
            },
        };
        let begun = now();
        // A SELECT without a table waits as well: the server waits before it runs the statement (verified on 10.11).
        conn.query_drop("SELECT 1").await?;
        self.conn = Some(conn);
        Ok(Answer::Passed(begun))
    }

    /// Closes the connection in order, so that the server does not count it as aborted.
    pub async fn close(&mut self) {
        if let Some(conn) = self.conn.take() {
            // A server that is gone needs no goodbye.
            let _ = conn.disconnect().await;
        }
    }
}
