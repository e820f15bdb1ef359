//! Owns a replica that follows its server through the proxy, and the comparison of the two.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;

use crate::galera::{APP, Node};

/// Rows of up to 1 MB, and how many; then rows that are changed, and rows that go.
const ROWS: u32 = 100;
/// How long the replica may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Has `replica` follow `server` through the proxy, from now on: how many tables differ once it has everything.
pub(super) async fn follow(server: &Node, replica: &Node, proxy: SocketAddr, tls: bool) -> Result<usize> {
    let position = prepare(server).await?;
    // The schema is on both; a number of its own is what a replica needs.
    replica.execute("SET GLOBAL server_id = 2").await?;
    let change = format!(
        "CHANGE MASTER TO MASTER_HOST = '{}', MASTER_PORT = {}, MASTER_USER = 'follower', \
         MASTER_PASSWORD = 'follower', MASTER_SSL = {}, MASTER_SSL_VERIFY_SERVER_CERT = 0, \
         MASTER_LOG_FILE = '{}', MASTER_LOG_POS = {}, MASTER_CONNECT_RETRY = 1",
        proxy.ip(),
        proxy.port(),
        u8::from(tls),
        position.0,
        position.1
    );
    replica.execute(&change).await?;
    replica.execute("START SLAVE").await?;
    write(server).await?;
    wait(server, replica).await?;
    let differs = checksum(server, "followed").await? != checksum(replica, "followed").await?;
    replica.execute("STOP SLAVE").await?;
    replica.execute("RESET SLAVE ALL").await?;
    Ok(usize::from(differs))
}

/// The account of the replica, and where the binlog is from now on.
async fn prepare(server: &Node) -> Result<(String, u64)> {
    server.execute("CREATE OR REPLACE USER follower@'%' IDENTIFIED BY 'follower'").await?;
    server.execute("GRANT REPLICATION SLAVE ON *.* TO follower@'%'").await?;
    position(server).await
}

async fn position(server: &Node) -> Result<(String, u64)> {
    let mut conn = server.root().await?;
    let status: Option<(String, u64, String, String)> = conn.query_first("SHOW MASTER STATUS").await?;
    conn.disconnect().await?;
    let (file, position, ..) = status.context("the server writes no binlog")?;
    Ok((file, position))
}

async fn write(server: &Node) -> Result<()> {
    let table = format!("{APP}.followed");
    server.execute(&format!("CREATE OR REPLACE TABLE {table} (id INT PRIMARY KEY, c LONGTEXT)")).await?;
    let fill = format!(
        "INSERT INTO {table} SELECT seq, RPAD('', seq * 10000, SHA2(seq, 512)) FROM {APP}.seq_1_to_{ROWS}"
    );
    server.execute(&fill).await?;
    server.execute(&format!("UPDATE {table} SET c = REVERSE(c) WHERE id % 3 = 0")).await?;
    server.execute(&format!("DELETE FROM {table} WHERE id % 5 = 0")).await
}

/// Waits until the replica has what the server has written by now.
async fn wait(server: &Node, replica: &Node) -> Result<()> {
    let (file, position) = position(server).await?;
    let mut conn = replica.root().await?;
    let seconds = PATIENCE.as_secs();
    let question = format!("SELECT MASTER_POS_WAIT('{file}', {position}, {seconds})");
    let events: Option<Option<i64>> = conn.query_first(question).await?;
    conn.disconnect().await?;
    let events = events.flatten().context("the replica has stopped")?;
    ensure!(events >= 0, "the replica does not catch up within {seconds} s");
    Ok(())
}

/// What the server says that a table is.
pub(super) async fn checksum(server: &Node, table: &str) -> Result<u64> {
    let mut conn = server.root().await?;
    let row: Option<(String, Option<u64>)> =
        conn.query_first(format!("CHECKSUM TABLE {APP}.{table}")).await?;
    conn.disconnect().await?;
    row.and_then(|(_, sum)| sum).with_context(|| format!("there is no table {table}"))
}
