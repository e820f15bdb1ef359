//! Scenario `zk-leader-and-primary`: the host of ZooKeeper's leader is also the primary's, and goes. What ZooKeeper and
//! Galera need for themselves is measured beside the gap.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use rustix::process::Signal;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zookeeper_client::Client;

use super::scene::{self, PATIENCE, ROWS, Scene};
use super::zk_member_loss::leader;
use super::{Scenario, in_lab};
use crate::candidates::ELECTION;
use crate::client;
use crate::galera::{APP, Node};
use crate::lab::Lab;
use crate::load::Verdict;
use crate::progress::{Progress, shown};
use crate::report::Report;

/// The longest time without an acknowledged write.
const GAP: Duration = Duration::from_secs(6);
/// Between two looks at ZooKeeper, and between two rows written past the proxies.
const LOOK: Duration = Duration::from_millis(10);
/// How long one row may take past the proxies before it is tried on a new session.
const ROW: Duration = Duration::from_secs(10);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "zk-leader-and-primary",
    about: "ZooKeeper's leader and the primary, with its agent, die together: the gap is 6 s at most",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(scene::builder(), &progress, async |lab, report| lose_host(lab, report).await).await
}

async fn lose_host(lab: &Lab, report: &mut Report) -> Result<()> {
    let scene = Scene::open(lab).await?;
    let primary = scene.primary()?;
    let leader = leader(lab).await.context("ZooKeeper has no leader")?;
    let status = lab.proxies()[0].status().await?;
    let member = status.election.members.first().context("nobody is elected")?.name.clone();
    let successor = status.election.members.get(1).and_then(|next| lab.node_at(&next.upstream));
    let successor = &lab.nodes()[successor.context("there is no second candidate")?];
    let znode = tokio::spawn(until_gone(lab.zookeeper(), format!("{ELECTION}/{member}")));
    let direct = Direct::start(successor).await?;

    let start = Instant::now();
    lab.zookeepers()[leader].signal(Signal::KILL)?;
    lab.nodes()[primary].signal(Signal::KILL)?;
    lab.agents()[primary].signal(Signal::KILL)?;
    let (server, node) = (lab.zookeepers()[leader].name(), lab.nodes()[primary].name());
    lab.progress().say(format_args!("{server}, which leads ZooKeeper, {node} and its agent are killed"));
    let (route, agreed) = lab.agreed_route(scene.first.epoch, PATIENCE).await?;
    scene.writers.wait_rows(ROWS).await?;
    let gap = scene.writers.longest_gap(start);
    report.millis("agree_ms", agreed);
    report.millis("write_gap_ms", gap);
    report.millis("floor_znode_gone_ms", znode.await?? - start);
    report.millis("floor_galera_ms", direct.stop().await?);
    report.check(gap <= GAP, || format!("nothing was acknowledged for {}", shown(gap)));
    let node = &lab.nodes()[lab.node_at(&route.upstream).context("the new primary is no node of the lab")?];
    let ledger = scene.writers.stop().await?;
    Verdict::read(node, &ledger).await?.report(&ledger, report);
    scene::report_visits(&scene.newcomers.stop().await?, report);
    Ok(())
}

/// When a client of ZooKeeper first reads that a znode is not there.
async fn until_gone(zookeeper: String, path: String) -> Result<Instant> {
    let timeout = PATIENCE / 2;
    let client = Client::connector().with_session_timeout(timeout).connect(&zookeeper).await?;
    loop {
        // An error is the loss of the server; the library finds another.
        if matches!(client.check_stat(&path).await, Ok(None)) {
            return Ok(Instant::now());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A client that writes to one node, past the proxies: the time in which it gets no answer is Galera's own.
struct Direct {
    stop: CancellationToken,
    task: JoinHandle<Duration>,
}

impl Direct {
    async fn start(node: &Node) -> Result<Self> {
        node.execute("CREATE TABLE app.direct (id BIGINT AUTO_INCREMENT PRIMARY KEY)").await?;
        let stop = CancellationToken::new();
        let (address, stopped) = (node.address(), stop.clone());
        let task = tokio::spawn(async move {
            let (mut longest, mut last) = (Duration::ZERO, Instant::now());
            let mut session = None;
            while !stopped.is_cancelled() {
                let row = async {
                    let mut conn = match session.take() {
                        Some(conn) => conn,
                        None => client::connect(address, APP, APP).await?,
                    };
                    conn.query_drop("INSERT INTO app.direct VALUES ()").await?;
                    mysql_async::Result::Ok(conn)
                };
                if let Ok(Ok(conn)) = tokio::time::timeout(ROW, row).await {
                    session = Some(conn);
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                }
                tokio::time::sleep(LOOK).await;
            }
            longest
        });
        Ok(Self { stop, task })
    }

    /// The longest time without an answer.
    async fn stop(self) -> Result<Duration> {
        self.stop.cancel();
        Ok(self.task.await?)
    }
}
