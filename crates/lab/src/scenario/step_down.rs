//! Scenario `step-down`: the primary's agent is asked to stop while short transactions run. Every transaction comes to its
//! end on the old primary, and new clients hardly wait.

use std::time::Duration;

use anyhow::Result;

use super::{Scenario, in_lab};
use crate::bank::{Arrivals, Fault, Stage, lab_of_the_issue};
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;

const HELD: Duration = Duration::from_millis(500);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "step-down",
    about: "the primary's agent is asked to stop while short transactions run",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(lab_of_the_issue(), &progress, async |lab, report| step_down(lab, report).await).await
}

async fn step_down(lab: &Lab, report: &mut Report) -> Result<()> {
    let mut stage = Stage::enter(lab).await?;
    let arrivals = Arrivals::start(lab);
    let seen = stage.round(Fault::StepDown, report).await?;
    let (held, errors) = arrivals.since(seen.fault);
    arrivals.stop();
    stage.leave(report).await?;
    report.millis("write_gap_ms", seen.gap);
    report.at_most("new_connection_ms_max", held, HELD);
    report.none("arrivals_refused", errors.len()).because(|| format!("{errors:?}"));
    report.none("cut_transactions", seen.tally.cut);
    report.none("stale_reads", seen.tally.stale_reads);
    Ok(())
}
