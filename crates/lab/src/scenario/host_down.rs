//! Scenario `host-down`: the primary's host is gone from one moment to the next, and nobody says goodbye. mariadbd and
//! agent stand still, so that nothing of theirs answers or closes, as with a host without power or network.

use std::time::Duration;

use anyhow::Result;

use super::{Scenario, in_lab};
use crate::bank::{Fault, Stage, lab_of_the_issue};
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;

/// ZooKeeper's session timeout of 2 s, up to a tick more, and Galera's agreement.
const GAP: Duration = Duration::from_millis(4_500);
/// When the proxies, which have not heard of the old primary for a while when its znode goes, have cut its sessions: a last
/// question of 250 ms, and two rounds of the drain, on a busy machine.
const OLD_SESSIONS_GONE_MS: f64 = 750.0;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "host-down",
    about: "the primary's mariadbd and agent fall silent at the same instant, their connections open",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(lab_of_the_issue(), &progress, async |lab, report| silence(lab, report).await).await
}

async fn silence(lab: &Lab, report: &mut Report) -> Result<()> {
    let mut stage = Stage::enter(lab).await?;
    let seen = stage.round(Fault::HostDown, report).await?;
    stage.leave(report).await?;
    report.at_most("write_gap_ms", seen.gap, GAP);
    report.at_most("old_sessions_gone_ms", seen.old_gone_ms, OLD_SESSIONS_GONE_MS);
    report.millis("galera_floor_ms", seen.floor.unwrap_or_default());
    Ok(())
}
