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
    report.millis("new_connection_ms_max", held);
    report.count("arrivals_refused", errors.len());
    report.check(seen.tally.cut == 0, || format!("{} transactions were cut", seen.tally.cut));
    report.check(seen.tally.stale_reads == 0, || format!("{} stale reads", seen.tally.stale_reads));
    report.check(held <= HELD, || format!("a new client waited for {held:?}, more than {HELD:?}"));
    report.check(errors.is_empty(), || format!("new clients were refused: {errors:?}"));
    Ok(())
}
