//! Scenario `flapping`: a replica's mariadbd is stopped and started again and again. Nobody notices: what comes back
//! registers at the end of the line. Each time Galera makes some node its donor, the primary among them, for the seconds
//! in which it sends what the replica has missed: so the agents are told that a donor may lead.

use anyhow::Result;

use super::scene::{self, Scene};
use super::{Scenario, in_lab};
use crate::bank::quick;
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;

/// Stops and starts.
const ROUNDS: usize = 30;
const ROUNDS_QUICKLY: usize = 3;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "flapping",
    about: "a replica's mariadbd is stopped and started 30 times",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = scene::builder().agent_argument("--available-when-donor=true");
    in_lab(builder, &progress, async |lab, report| flapping(lab, report).await).await
}

async fn flapping(lab: &Lab, report: &mut Report) -> Result<()> {
    let scene = Scene::open(lab).await?;
    let replica = &lab.nodes()[(scene.primary()? + 1) % lab.nodes().len()];
    let rounds = if quick() { ROUNDS_QUICKLY } else { ROUNDS };
    for round in 1..=rounds {
        replica.stop().await?;
        scene::followed(lab, lab.nodes().len() - 1).await?;
        replica.start().await?;
        replica.wait_ready(lab.nodes().len()).await?;
        // At the end of the line again, before it goes once more.
        scene::followed(lab, lab.nodes().len()).await?;
        lab.progress().say(format_args!("round {round} of {rounds}: {} is back", replica.name()));
    }
    report.count("rounds", rounds);
    scene.close_unnoticed(report).await
}
