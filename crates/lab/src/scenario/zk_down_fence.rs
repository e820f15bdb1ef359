//! Scenario `zk-down-fence`: all of ZooKeeper is down while agents fence. They ask each other, and nobody is fenced.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::fencing::{self, Stage};
use super::{Scenario, in_lab, scene};
use crate::bank::quick;
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;

/// How long the servers are down, and how long in a quick run: three session timeouts.
const DOWN: Duration = Duration::from_secs(20);
const DOWN_QUICK: Duration = Duration::from_secs(6);
/// How long the return is watched: agents may lose their sessions 2 s after it.
const WATCHED: Duration = Duration::from_secs(5);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "zk-down-fence",
    about: "all ZooKeeper servers are down for 20 s, and agents fence: nobody is fenced, and writes go on",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(fencing::builder("read-only"), &progress, async |lab, report| down(lab, report).await).await
}

async fn down(lab: &Lab, report: &mut Report) -> Result<()> {
    let stage = Stage::open(lab).await?;
    let start = Instant::now();
    scene::kill_ensemble(lab).await?;
    tokio::time::sleep(if quick() { DOWN_QUICK } else { DOWN }).await;
    let lease = stage.agent().await?.zookeeper_lease;
    report.check(lease.is_some_and(|lease| !lease.held), || "the agent has not noticed".to_owned());
    scene::start_ensemble(lab).await?;
    scene::followed(lab, lab.nodes().len()).await?;
    tokio::time::sleep(WATCHED).await;
    let (refused, _) = stage.probe.counts(start, Instant::now());
    report.none("writes_refused", refused);
    let mut fences = 0;
    for agent in lab.agents() {
        fences += fencing::fences(agent.admin()).await?;
    }
    report.none("fences", fences);
    report.none("changes_of_primary", stage.witness.changes(start));
    report.millis("write_gap_ms", stage.writers.longest_gap(start));
    stage.one_znode_each(report).await?;
    stage.close(report).await
}
