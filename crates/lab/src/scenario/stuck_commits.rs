//! Scenario `stuck-commits`: the primary's disk stops while its mariadbd goes on, and says that it is synced. Once
//! nothing that is to reach the disk does; and once, for root, the file system of its data directory is frozen.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{Scenario, in_lab};
use crate::election::Observer;
use crate::galera::Disk;
use crate::lab::Lab;
use crate::progress::{Progress, shown};
use crate::report::Report;
use crate::status::AgentStatus;
use crate::wait::wait_until;

/// The last commit before the fault may have been a check's interval ago; then two commits in a row that are not answered.
const STEPPED_DOWN: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "stuck-commits",
    about: "the primary's disk stops while it says that it is synced: it steps down",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let mut report = Report::default();
    report.take_over("syncs", stop(Disk::Syncs, &progress).await?);
    if rustix::process::geteuid().is_root() {
        report.take_over("frozen", stop(Disk::FileSystem, &progress).await?);
    } else {
        progress.say("the file system is not frozen: that takes root");
    }
    Ok(report)
}

async fn stop(disk: Disk, progress: &Progress) -> Result<Report> {
    let builder = Lab::builder().galera(3).zookeeper(1).agents(true).proxies(1).disk(disk);
    in_lab(builder, progress, async |lab, report| stuck(lab, disk, report).await).await
}

async fn stuck(lab: &Lab, disk: Disk, report: &mut Report) -> Result<()> {
    let observer = Observer::connect(&lab.zookeeper()).await?;
    let (route, _) = lab.agreed_route(0, PATIENCE).await?;
    let primary = lab.node_at(&route.upstream).context("the primary is no node of the lab")?;
    let (node, agent) = (&lab.nodes()[primary], &lab.agents()[primary]);
    wait_until(PATIENCE, "the agent's rows are committed", async || {
        agent.status().await.ok()?.canary.writes_rows().then_some(())
    })
    .await?;
    let znode = observer.candidate(&route.upstream).await?;
    let mut stopped = None;
    let gone = observer
        .gone_after(&znode, PATIENCE, || {
            stopped = Some(node.stop_disk()?);
            Ok(())
        })
        .await?;
    let seen = agent.status().await?;
    lab.progress().say(format_args!("{} is out after {}: {}", node.name(), shown(gone), seen.reason));
    report.at_most("stepped_down_ms", gone, STEPPED_DOWN);
    report.check(!seen.fit, || "the agent takes its server for fit".to_owned());
    let (next, _) = lab.agreed_route(route.epoch, PATIENCE).await?;
    report.check(next.upstream != route.upstream, || "the same node leads".to_owned());
    judge(disk, &seen, report);
    drop(stopped);
    returns(lab, &next.upstream, report).await
}

/// Where only `fsync` hangs the server answers its checks and says that all is well: that is what the canary is for.
fn judge(disk: Disk, seen: &AgentStatus, report: &mut Report) {
    let check = seen.last_check.as_ref();
    let state = check.and_then(|check| check.reading.as_ref()?.wsrep_local_state_comment.clone());
    let impossible = &seen.canary.impossible_because;
    report.check(impossible.is_none(), || format!("the canary cannot commit: {impossible:?}"));
    if disk == Disk::Syncs {
        report.check(state.as_deref() == Some("Synced"), || format!("its last check read {state:?}"));
        let problem = check.and_then(|check| check.problem.clone());
        report.check(problem.is_none(), || format!("its last check found {problem:?}"));
        report.check(seen.reason.contains("does not commit"), || format!("the reason is: {}", seen.reason));
    }
}

/// Once its disk goes on the node is a candidate again, behind the one that leads.
async fn returns(lab: &Lab, leader: &str, report: &mut Report) -> Result<()> {
    let proxy = lab.proxies().first().context("the lab has no proxy")?;
    wait_until(PATIENCE, "the node is a candidate again", async || {
        (proxy.status().await.ok()?.election.members.len() == lab.nodes().len()).then_some(())
    })
    .await?;
    let (route, _) = lab.agreed_route(0, PATIENCE).await?;
    report.check(route.upstream == leader, || format!("{} leads after the return", route.upstream));
    Ok(())
}
