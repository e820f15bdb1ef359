//! Scenario `agent-cut-short`: the primary's agent is cut off from ZooKeeper for a second, half its session timeout. Nothing
//! happens.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::fencing::{self, Stage};
use super::{Scenario, in_lab};
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;

/// How long the agent is cut off.
const CUT: Duration = Duration::from_secs(1);
/// How long it is watched after that: longer than a session lives that was not taken up again.
const WATCHED: Duration = Duration::from_secs(5);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "agent-cut-short",
    about: "the primary's agent is cut off from ZooKeeper for 1 s: no change of the primary, and no fence",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(fencing::builder("read-only"), &progress, async |lab, report| cut(lab, report).await).await
}

async fn cut(lab: &Lab, report: &mut Report) -> Result<()> {
    let stage = Stage::open(lab).await?;
    let (door, start) = (&lab.doors()[stage.primary], Instant::now());
    door.cut();
    tokio::time::sleep(CUT).await;
    door.heal();
    lab.progress().say("the agent was cut off for a second");
    tokio::time::sleep(WATCHED).await;
    let (refused, _) = stage.probe.counts(start, Instant::now());
    report.none("writes_refused", refused);
    report.none("fences", fencing::fences(lab.agents()[stage.primary].admin()).await?);
    report.none("changes_of_primary", stage.witness.changes(start));
    report.millis("write_gap_ms", stage.writers.longest_gap(start));
    stage.one_znode_each(report).await?;
    stage.close(report).await
}
