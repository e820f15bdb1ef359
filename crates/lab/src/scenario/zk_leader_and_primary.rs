//! Scenario `zk-leader-and-primary`: the host of ZooKeeper's leader is also the primary's, and goes. What ZooKeeper and
//! Galera need for themselves is measured beside the gap.

mod direct;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::Signal;
use zookeeper_client::Client;

use self::direct::Direct;
use super::scene::{self, PATIENCE, ROWS, Scene};
use super::zk_member_loss::leader;
use super::{Scenario, in_lab};
use crate::candidates::ELECTION;
use crate::lab::Lab;
use crate::load::Verdict;
use crate::progress::{Progress, shown};
use crate::report::Report;

/// The longest time without an acknowledged write.
const GAP: Duration = Duration::from_secs(6);
/// Where ZooKeeper itself needs longer than that to let go of the znode, as it does on a machine that is busy with other
/// things: what may be added to its time.
const ADDED: Duration = Duration::from_secs(1);
/// Between two looks at ZooKeeper.
const LOOK: Duration = Duration::from_millis(10);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "zk-leader-and-primary",
    about: "ZooKeeper's leader and the primary, with its agent, die together: the gap is 6 s at most",
    run: |progress| Box::pin(run(progress)),
};

/// How ZooKeeper's leader and the agent go.
#[derive(Clone, Copy)]
enum End {
    /// Their connections end with them.
    Killed,
    /// Nobody hears of them any more, as when a host loses its power.
    Silent,
}

async fn run(progress: Progress) -> Result<Report> {
    let mut both = Report::default();
    for (end, name) in [(End::Killed, "killed"), (End::Silent, "silent")] {
        let report =
            in_lab(scene::builder(), &progress, async |lab, report| lose_host(lab, end, report).await)
                .await?;
        both.take_over(name, report);
    }
    Ok(both)
}

async fn lose_host(lab: &Lab, end: End, report: &mut Report) -> Result<()> {
    if matches!(end, End::Silent) {
        notice_silence(lab).await?;
    }
    let scene = Scene::open(lab).await?;
    let primary = scene.primary()?;
    let leader = leader(lab).await.context("ZooKeeper has no leader")?;
    let status = lab.proxies()[0].status().await?;
    let member = status.election.leader().context("nobody is elected")?.name.clone();
    let successor = status.election.members.get(1).and_then(|next| lab.node_at(&next.upstream));
    let successor = &lab.nodes()[successor.context("there is no second candidate")?];
    let others = lab.zookeepers().iter().enumerate().filter(|(index, _)| *index != leader);
    let others: Vec<_> = others.map(|(_, server)| server.connect_string()).collect();
    let znode = tokio::spawn(until_gone(others.join(","), format!("{ELECTION}/{member}")));
    let direct = Direct::start(successor).await?;

    let start = Instant::now();
    let signal = if matches!(end, End::Silent) { Signal::STOP } else { Signal::KILL };
    lab.zookeepers()[leader].signal(signal)?;
    lab.agents()[primary].signal(signal)?;
    lab.nodes()[primary].signal(Signal::KILL)?;
    let (server, node) = (lab.zookeepers()[leader].name(), lab.nodes()[primary].name());
    lab.progress().say(format_args!("{server}, which leads ZooKeeper, {node} and its agent are gone"));
    let (route, agreed) = lab.agreed_route(scene.first.epoch, PATIENCE).await?;
    scene.writers.wait_rows(ROWS).await?;
    let gap = scene.writers.longest_gap(start);
    report.millis("agree_ms", agreed);
    let floor = znode.await?? - start;
    report.millis("floor_znode_gone_ms", floor);
    report.millis("floor_galera_ms", direct.stop().await?);
    let own = || format!("ZooKeeper itself needed {}", shown(floor));
    report.at_most("write_gap_ms", gap, GAP.max(floor + ADDED)).because(own);
    let node = &lab.nodes()[lab.node_at(&route.upstream).context("the new primary is no node of the lab")?];
    let ledger = scene.writers.stop().await?;
    Verdict::read(node, &ledger).await?.report(&ledger, report);
    let (after, before): (Vec<_>, Vec<_>) =
        scene.newcomers.stop().await?.into_iter().partition(|visit| visit.began > start);
    // Those that were there, or on their way in, die with the server.
    report.count("new_connections_broken", before.iter().filter(|visit| visit.outcome.is_err()).count());
    scene::report_visits(&after, report);
    Ok(())
}

/// A lab's ZooKeeper servers believe in a silent peer for 5 s, so that a busy machine does not part them. Here they do for
/// 2 s, as long as in a session.
async fn notice_silence(lab: &Lab) -> Result<()> {
    for server in lab.zookeepers() {
        let path = server.directory().join("zoo.cfg");
        let settings = fs::read_to_string(&path)?;
        fs::write(&path, settings.replace("syncLimit=10", "syncLimit=4"))?;
        server.kill().await?;
        server.start().await?;
        server.wait_ready().await?;
    }
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
