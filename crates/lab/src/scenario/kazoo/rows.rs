//! A client that writes numbered rows through the proxy, each in a session of its own.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use mysql_async::prelude::Queryable;

use super::FOLLOWED;
use crate::client;
use crate::daemon::Proxy;
use crate::galera::{APP, Node};

/// What [`write_until`] did.
pub(super) struct Written {
    /// The last row's number, and how many there are of them.
    pub(super) rows: usize,
    /// How many sessions ended before the answer.
    pub(super) cut: usize,
}

pub(super) async fn create_table(node: &Node) -> Result<()> {
    node.execute("CREATE TABLE app.written (row INT PRIMARY KEY, node VARCHAR(64))").await
}

/// Writes one row in a session of its own through the proxy, and says which node took it. None when the session was
/// cut, as those of an old epoch are: then it is unknown whether the row is there, and it is to be written again.
pub(super) async fn write_row(proxy: &Proxy, row: usize) -> Result<Option<String>> {
    let mut conn = client::connect(proxy.address(), APP, APP).await?;
    let written = async {
        // A row that is written again waits for the first one, should that be on its way between the nodes.
        conn.query_drop("SET SESSION wsrep_sync_wait = 15").await?;
        conn.exec_drop("INSERT IGNORE INTO app.written VALUES (?, @@wsrep_node_name)", (row,)).await?;
        conn.exec_first("SELECT node FROM app.written WHERE row = ?", (row,)).await
    };
    match written.await {
        Ok(node) => Ok(Some(node.context("a written row is not there")?)),
        Err(mysql_async::Error::Io(_)) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// Writes rows 1, 2, ... until one lands on `node`. No connection may fail.
pub(super) async fn write_until(proxy: &Proxy, node: &Node) -> Result<Written> {
    let start = Instant::now();
    let mut written = Written { rows: 0, cut: 0 };
    while start.elapsed() < FOLLOWED {
        let row = written.rows + 1;
        match write_row(proxy, row).await.with_context(|| format!("row {row}"))? {
            Some(taker) => {
                written.rows = row;
                if taker == node.name() {
                    return Ok(written);
                }
            }
            None => written.cut += 1,
        }
    }
    bail!("{FOLLOWED:?} after its agent was killed, rows are not written on {} yet", node.name())
}

pub(super) async fn count_rows(node: &Node) -> Result<usize> {
    let mut conn = node.root().await?;
    conn.query_drop("SET SESSION wsrep_sync_wait = 1").await?;
    let rows: Option<usize> = conn.query_first("SELECT COUNT(*) FROM app.written").await?;
    Ok(rows.unwrap_or(0))
}
