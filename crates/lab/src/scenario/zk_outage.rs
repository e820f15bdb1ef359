//! Scenario `zk-outage`: every ZooKeeper server is down for a while and comes back. Nobody notices.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::scene::{self, Scene};
use super::{Scenario, in_lab};
use crate::lab::Lab;
use crate::progress::{Progress, shown};
use crate::report::Report;

/// How long the servers are down.
const DOWN: Duration = Duration::from_secs(60);
/// How long the return is watched: agents that have lost their sessions lose their znodes 2 s after it, and register
/// anew.
const WATCHED: Duration = Duration::from_secs(5);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "zk-outage",
    about: "all ZooKeeper servers are down for 60 s: clients notice nothing, and the primary stays",
    run: |progress| Box::pin(run(progress, DOWN)),
};

/// Runs it with another time without ZooKeeper.
///
/// # Errors
/// The lab does not come up.
pub async fn run(progress: Progress, down: Duration) -> Result<Report> {
    in_lab(scene::builder(), &progress, async |lab, report| outage(lab, down, report).await).await
}

async fn outage(lab: &Lab, down: Duration, report: &mut Report) -> Result<()> {
    let scene = Scene::open(lab).await?;
    let start = Instant::now();
    scene::kill_ensemble(lab).await?;
    tokio::time::sleep(down).await;
    for proxy in lab.proxies() {
        let status = proxy.status().await?;
        report.check(!status.election.connected, || format!("{} saw no outage", proxy.name()));
    }
    let back = scene::start_ensemble(lab).await?;
    report.millis("outage_ms", back - start);
    scene::followed(lab, lab.nodes().len()).await?;
    report.millis("followed_again_ms", back.elapsed());
    lab.progress().say(format_args!("all proxies follow again after {}", shown(back.elapsed())));
    tokio::time::sleep(WATCHED).await;
    report.millis("write_gap_ms", scene.writers.longest_gap(start));
    scene.close_unnoticed(report).await
}
