//! Scenario `storm`: 2,000 clients wait for a primary that takes 500 connections, and all of them are served.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;

use super::{Scenario, in_lab};
use crate::candidates::Candidates;
use crate::client::connect;
use crate::galera::{APP, Node};
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;
use crate::wait::wait_until;

const CLIENTS: usize = 2_000;
/// What MariaDB takes at most, and what the proxy gives it.
const SERVER_LIMIT: &str = "500";
const PROXY_LIMIT: usize = 400;
/// Connections to the server that are not the proxy's sessions: the lab's own, and the proxy's monitoring.
const OTHERS: usize = 10;
/// How long each session lasts, so that the sessions overlap more than the server would take.
const STAY: Duration = Duration::from_millis(500);
/// For all of it on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "storm",
    about: "2,000 waiting clients meet a new primary with max_connections 500: all served, never error 1040",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = Lab::builder()
        .galera(1)
        .zookeeper(1)
        .proxies(1)
        .server_option("max_connections", SERVER_LIMIT)
        .server_option("back_log", "1000")
        .proxy_argument(&format!("--max-upstream-connections={PROXY_LIMIT}"))
        .proxy_argument(&format!("--hold-timeout={}s", PATIENCE.as_secs()));
    in_lab(builder, &progress, async |lab, report| storm(lab, report).await).await
}

async fn storm(lab: &Lab, report: &mut Report) -> Result<()> {
    let (node, proxy) = (lab.nodes().first().context("no node")?, lab.proxies().first().context("no proxy")?);
    let candidates = Candidates::connect(&lab.zookeeper()).await?;
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(visit(proxy.address()));
    }
    let held = async || (proxy.status().await.ok()?.sessions.held == CLIENTS as u64).then_some(());
    wait_until(PATIENCE, "all clients wait", held).await?;
    lab.progress().say(format_args!("{CLIENTS} clients wait"));

    let released = Instant::now();
    candidates.register(node.address().to_string().as_bytes()).await?;
    let mut served = Vec::new();
    while let Some(visit) = tokio::time::timeout(PATIENCE, clients.join_next()).await? {
        match visit? {
            Ok(at) => served.push(at.saturating_duration_since(released)),
            Err(error) => report.fail(format!("a client was not served: {error}")),
        }
    }
    served.sort_unstable();
    lab.progress().say(format_args!("{} clients were served", served.len()));
    report.count("clients", CLIENTS);
    report.exactly("served", served.len(), CLIENTS);
    report.millis("first_served_ms", served.first().copied().unwrap_or_default());
    report.millis("last_served_ms", served.last().copied().unwrap_or_default());
    judge_server(node, report).await
}

/// One client: in, one statement, out. When it was let in.
async fn visit(proxy: SocketAddr) -> mysql_async::Result<Instant> {
    let mut conn = connect(proxy, APP, APP).await?;
    let served = Instant::now();
    conn.query_drop(format!("SELECT SLEEP({})", STAY.as_secs_f64())).await?;
    conn.disconnect().await?;
    Ok(served)
}

async fn judge_server(node: &Node, report: &mut Report) -> Result<()> {
    let most = status(node, "Max_used_connections").await?;
    let refused = status(node, "Connection_errors_max_connections").await?;
    report.none("error_1040", refused);
    let over = || format!("MariaDB had more connections than the proxy's {PROXY_LIMIT} and {OTHERS} others");
    report.at_most("most_at_once", most, PROXY_LIMIT + OTHERS).because(over);
    report.at_least("most_at_once", most, PROXY_LIMIT / 2).because(|| "it was no storm".to_owned());
    Ok(())
}

async fn status(node: &Node, name: &str) -> Result<usize> {
    let mut conn = node.root().await?;
    let row: Option<(String, usize)> = conn.query_first(format!("SHOW GLOBAL STATUS LIKE '{name}'")).await?;
    conn.disconnect().await?;
    Ok(row.with_context(|| format!("the server has no {name}"))?.1)
}
