//! Scenario `zk-member-loss`: ZooKeeper's leader is killed, and the others elect another. Nobody notices.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::scene::{self, PATIENCE, Scene};
use super::{Scenario, in_lab};
use crate::lab::Lab;
use crate::progress::{Progress, shown};
use crate::report::Report;
use crate::wait::wait_until;

/// How long proxies and agents are watched after it: sessions that were not taken along would expire after 2 s.
const WATCHED: Duration = Duration::from_secs(5);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "zk-member-loss",
    about: "ZooKeeper's leader is killed, and comes back: clients notice nothing, and the primary stays",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(scene::builder(), &progress, async |lab, report| lose(lab, report).await).await
}

async fn lose(lab: &Lab, report: &mut Report) -> Result<()> {
    let scene = Scene::open(lab).await?;
    let start = Instant::now();
    let old = leader(lab).await.context("ZooKeeper has no leader")?;
    lab.zookeepers()[old].kill().await?;
    lab.progress().say(format_args!("{}, the leader, is killed", lab.zookeepers()[old].name()));
    wait_until(PATIENCE, "ZooKeeper has another leader", async || leader(lab).await).await?;
    report.millis("leader_elected_ms", start.elapsed());
    lab.progress().say(format_args!("another leads after {}", shown(start.elapsed())));
    scene::followed(lab, lab.nodes().len()).await?;
    report.millis("followed_again_ms", start.elapsed());
    tokio::time::sleep(WATCHED).await;
    lab.zookeepers()[old].start().await?;
    lab.zookeepers()[old].wait_ready().await?;
    lab.progress().say("the killed server is back");
    tokio::time::sleep(WATCHED).await;
    report.millis("write_gap_ms", scene.writers.longest_gap(start));
    scene.close_unnoticed(report).await
}

/// Which server leads the ensemble.
pub(super) async fn leader(lab: &Lab) -> Option<usize> {
    for (index, server) in lab.zookeepers().iter().enumerate() {
        if server.mode().await.is_ok_and(|mode| mode == "leader") {
            return Some(index);
        }
    }
    None
}
