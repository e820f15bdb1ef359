//! Scenario `stop-primary`: the primary's mariadbd is asked to stop, as a service manager does, and says goodbye to the
//! cluster.

use std::time::Duration;

use anyhow::Result;

use super::{Scenario, in_lab};
use crate::bank::{Fault, Stage, lab_of_the_issue};
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;

const GAP: Duration = Duration::from_secs(1);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "stop-primary",
    about: "SIGTERM of the primary's mariadbd under 100 customers of a bank",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(lab_of_the_issue(), &progress, async |lab, report| stop(lab, report).await).await
}

async fn stop(lab: &Lab, report: &mut Report) -> Result<()> {
    let mut stage = Stage::enter(lab).await?;
    let seen = stage.round(Fault::Stop, report).await?;
    stage.leave(report).await?;
    report.at_most("write_gap_ms", seen.gap, GAP);
    report.millis("galera_floor_ms", seen.floor.unwrap_or_default());
    Ok(())
}
