//! Owns `lab demo-check`: the demo without a person. A writer goes on through the same port when the primary is killed.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use capitana_lab::{APP, Lab, Progress, client, shown};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::cli::Size;
use crate::up;

const AGREE: Duration = Duration::from_secs(30);
/// How long the writer tries: Galera's timeouts in the lab, twice.
const RECOVER: Duration = Duration::from_secs(30);
/// How long rows may take on a cluster that is well.
const WRITE: Duration = Duration::from_secs(30);
const ROWS: u32 = 10;

/// Runs the demo. True: what it should show was seen.
pub(crate) async fn check(progress: &Progress) -> Result<bool> {
    let lab = up::start(Size::default(), progress).await?;
    match failover(&lab, progress).await {
        Ok(()) => {
            lab.shutdown().await?;
            progress.say("all is taken down again; the demo works");
            Ok(true)
        }
        Err(error) => {
            let logs = lab.fail().await?;
            Err(error.context(format!("the demo failed; its logs are in {}", logs.display())))
        }
    }
}

async fn failover(lab: &Lab, progress: &Progress) -> Result<()> {
    let (old, _) = lab.agreed_route(0, AGREE).await?;
    let port = lab.proxies().first().context("the lab has no proxy")?.address();
    let before = within(WRITE, "writing the first rows", begin(port)).await?;
    progress.say(format_args!("{ROWS} rows written through {port}: on {before} ({})", old.upstream));

    let index = lab.node_at(&old.upstream).context("the primary is no node of the lab")?;
    progress
        .say(format_args!("kill -9 {} (mariadbd of {before})", lab.nodes()[index].pid().unwrap_or_default()));
    let start = Instant::now();
    lab.nodes()[index].kill().await?;
    let reconnect = within(RECOVER, "writing a row after the kill", reconnect(port, start, progress));
    let ((conn, wrote), ()) = tokio::try_join!(reconnect, agree(lab, old.epoch, progress))?;
    within(WRITE, "writing and counting the last rows", verify(conn, &before, wrote, progress)).await
}

/// A server that hangs must not make the demo hang.
async fn within<T>(limit: Duration, what: &str, step: impl Future<Output = Result<T>>) -> Result<T> {
    let done = tokio::time::timeout(limit, step).await;
    done.map_err(|_| anyhow!("{what} took longer than {limit:?}"))?
}

/// Writes the first rows. Returns the node that has them.
async fn begin(port: SocketAddr) -> Result<String> {
    let mut conn = client::connect(port, APP, APP).await?;
    conn.query_drop("CREATE TABLE app.demo (id BIGINT AUTO_INCREMENT PRIMARY KEY, node VARCHAR(64))").await?;
    for _ in 0..ROWS {
        write(&mut conn).await?;
    }
    written_on(&mut conn).await
}

/// Waits until the proxies agree, beside the writer.
async fn agree(lab: &Lab, epoch: i64, progress: &Progress) -> Result<()> {
    let (route, took) = lab.agreed_route(epoch, AGREE).await?;
    let took = shown(took);
    progress.say(format_args!("after {took} both proxies name {} (epoch {})", route.upstream, route.epoch));
    Ok(())
}

/// Connects again through the same port until a row is written. Returns the session, and how long it took.
async fn reconnect(port: SocketAddr, start: Instant, progress: &Progress) -> Result<(Conn, Duration)> {
    loop {
        let mut conn = client::connect(port, APP, APP).await.context("a client could not connect")?;
        let connected = shown(start.elapsed());
        match write(&mut conn).await {
            Ok(()) => {
                progress.say(format_args!("the client was connected again after {connected}"));
                return Ok((conn, start.elapsed()));
            }
            Err(error) => progress.say(format_args!("after {connected}: {error}; once more")),
        }
    }
}

async fn verify(mut conn: Conn, before: &str, wrote: Duration, progress: &Progress) -> Result<()> {
    for _ in 1..ROWS {
        write(&mut conn).await?;
    }
    let (after, wrote) = (written_on(&mut conn).await?, shown(wrote));
    progress.say(format_args!("the next row was written {wrote} after the kill: on {after}"));
    ensure!(after != before, "the rows after the kill were written on {before} again");
    let rows: Option<u32> = conn.query_first("SELECT COUNT(*) FROM app.demo").await?;
    let rows = rows.unwrap_or_default();
    progress.say(format_args!("{rows} rows are there"));
    ensure!(rows >= 2 * ROWS, "only {rows} rows are there of {}", 2 * ROWS);
    conn.disconnect().await?;
    Ok(())
}

async fn write(conn: &mut Conn) -> mysql_async::Result<()> {
    conn.query_drop("INSERT INTO app.demo (node) VALUES (@@wsrep_node_name)").await
}

async fn written_on(conn: &mut Conn) -> Result<String> {
    let node = conn.query_first("SELECT node FROM app.demo ORDER BY id DESC LIMIT 1").await?;
    node.context("no row is there")
}
