//! Scenario `minority`: Galera's links of the primary are cut (`gmcast.isolate`), while ZooKeeper, proxies and clients
//! still reach it. The node that is left alone gives its place up, and has acknowledged nothing that the others lack.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::scene::{self, PATIENCE, ROWS, Scene};
use super::{Scenario, in_lab};
use crate::client;
use crate::galera::{APP, Node};
use crate::lab::Lab;
use crate::load::Verdict;
use crate::progress::{Progress, shown};
use crate::report::Report;
use crate::wait::wait_until;

/// From the cut until the node's znode is gone: Galera's `evs.suspect_timeout` of the lab, a check, and slack.
const LEFT: Duration = Duration::from_secs(4);
/// Clients that write to the node itself, whoever is elected.
const STUBBORN: u64 = 4;
/// Between two of a client's rows.
const PACE: Duration = Duration::from_millis(10);
/// A node without a quorum may let a statement hang.
const ANSWER: Duration = Duration::from_secs(2);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "minority",
    about: "the primary is cut off from the two other Galera nodes, and from nothing else",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(scene::builder(), &progress, async |lab, report| minority(lab, report).await).await
}

async fn minority(lab: &Lab, report: &mut Report) -> Result<()> {
    let scene = Scene::open(lab).await?;
    let alone = scene.primary()?;
    let node = &lab.nodes()[alone];
    node.execute("CREATE TABLE app.stubborn (id BIGINT PRIMARY KEY)").await?;
    let stubborn = Stubborn::start(node.address());
    stubborn.wait_rows().await?;

    let cut = Instant::now();
    isolate(node, true).await?;
    lab.progress().say(format_args!("{} is cut off from the others", node.name()));
    let left = left_election(lab, alone, cut).await?;
    lab.progress().say(format_args!("it left the election after {}", shown(left)));
    let (route, followed) = lab.agreed_route(scene.first.epoch, PATIENCE).await?;
    report.check(route.upstream != scene.first.upstream, || "the node that is alone still leads".to_owned());
    scene.writers.wait_rows(ROWS).await?;
    let survivor = &lab.nodes()[(alone + 1) % lab.nodes().len()];
    let (rows, late) = stubborn.stop(cut).await?;
    let there = rows_of(survivor).await?;
    report.at_most("left_election_ms", left, LEFT);
    report.millis("next_primary_followed_ms", left + followed);
    report.count("written_to_the_node_itself", rows.len());
    report.count("acknowledged_by_it_after_the_cut", late.len());
    let only_there = late.difference(&there).count();
    report.none("acknowledged_by_it_and_not_by_the_others", only_there);
    report.none("lost_on_the_way_into_the_cut", rows.difference(&there).count());

    isolate(node, false).await?;
    for node in lab.nodes() {
        node.wait_ready(lab.nodes().len()).await?;
    }
    let ledger = scene.writers.stop().await?;
    Verdict::read(survivor, &ledger).await?.report(&ledger, report);
    scene::report_visits(&scene.newcomers.stop().await?, report);
    Ok(())
}

/// What Galera offers to tests: the node drops its links and takes none, as if the network were gone.
async fn isolate(node: &Node, on: bool) -> Result<()> {
    let value = u8::from(on);
    node.execute(&format!("SET GLOBAL wsrep_provider_options = 'gmcast.isolate={value}'")).await
}

/// Waits until the agent of node `index` has no znode any more.
async fn left_election(lab: &Lab, index: usize, cut: Instant) -> Result<Duration> {
    let agent = &lab.agents()[index];
    let left = async || agent.status().await.ok()?.registered.is_none().then(|| cut.elapsed());
    Ok(wait_until(PATIENCE, "the node that is alone has left the election", left).await?.0)
}

async fn rows_of(node: &Node) -> Result<BTreeSet<u64>> {
    let mut conn = node.root().await?;
    conn.query_drop("SET SESSION wsrep_sync_wait = 1").await?;
    let rows: Vec<u64> = conn.query("SELECT id FROM app.stubborn").await?;
    conn.disconnect().await?;
    Ok(rows.into_iter().collect())
}

/// Clients that go around the proxies and write to one node whatever happens.
struct Stubborn {
    tasks: JoinSet<Vec<(u64, Instant)>>,
    stop: CancellationToken,
    written: tokio::sync::watch::Receiver<u64>,
}

impl Stubborn {
    fn start(node: SocketAddr) -> Self {
        let (count, written) = tokio::sync::watch::channel(0);
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        for client in 0..STUBBORN {
            tasks.spawn(write(node, client, stop.clone(), count.clone()));
        }
        Self { tasks, stop, written }
    }

    async fn wait_rows(&self) -> Result<()> {
        let mut written = self.written.clone();
        let enough = written.wait_for(|count| *count >= 10 * STUBBORN);
        tokio::time::timeout(PATIENCE, enough).await.context("nobody writes to the node itself")??;
        Ok(())
    }

    /// All acknowledged rows, and those that were acknowledged after `cut`.
    async fn stop(mut self, cut: Instant) -> Result<(BTreeSet<u64>, BTreeSet<u64>)> {
        self.stop.cancel();
        let mut all = Vec::new();
        while let Some(rows) = self.tasks.join_next().await {
            all.extend(rows?);
        }
        let late = all.iter().filter(|(_, at)| *at > cut).map(|(id, _)| *id).collect();
        Ok((all.into_iter().map(|(id, _)| id).collect(), late))
    }
}

/// Writes row after row; what fails, or hangs, is not acknowledged and not repeated.
async fn write(
    node: SocketAddr,
    client: u64,
    stop: CancellationToken,
    count: tokio::sync::watch::Sender<u64>,
) -> Vec<(u64, Instant)> {
    let (mut rows, mut id, mut conn) = (Vec::new(), client, None);
    while !stop.is_cancelled() {
        id += STUBBORN;
        if conn.is_none() {
            conn =
                tokio::time::timeout(ANSWER, client::connect(node, APP, APP)).await.ok().and_then(Result::ok);
        }
        if let Some(mut open) = conn.take() {
            let insert = open.query_drop(format!("INSERT INTO app.stubborn VALUES ({id})"));
            if let Ok(Ok(())) = tokio::time::timeout(ANSWER, insert).await {
                rows.push((id, Instant::now()));
                count.send_modify(|count| *count += 1);
                conn = Some(open);
            }
        }
        tokio::time::sleep(PACE).await;
    }
    rows
}
