//! Scenario `read-after-write`: the primary is lost in every way, twenty times, and each customer reads back its last
//! acknowledged transfer first thing after it has reconnected. Then the same without the barrier, for comparison.

use anyhow::Result;

use super::{Scenario, in_lab};
use crate::bank::{Fault, Stage, lab_of_the_issue, quick};
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "read-after-write",
    about: "20 failovers of all kinds, with and without the barrier: who reads back his last write",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    progress.say("with the barrier");
    let mut with = in_lab(lab_of_the_issue(), &progress, async |lab, r| failovers(lab, r).await).await?;
    progress.say("without the barrier");
    let builder = lab_of_the_issue().monitor(false);
    let without = in_lab(builder, &progress, async |lab, r| failovers(lab, r).await).await?;
    let stale = with.figures().get("stale_reads").copied().unwrap_or(f64::NAN);
    with.exactly("stale_reads", stale, 0.0).because(|| "in spite of the barrier".to_owned());
    for name in ["stale_reads", "acknowledged", "lost", "cut_transactions", "connection_errors"] {
        let figure = without.figures().get(name).copied().unwrap_or(f64::NAN);
        with.figure(&format!("{name}_without_barrier"), figure);
    }
    for failure in without.failures() {
        with.fail(format!("without the barrier: {failure}"));
    }
    Ok(with)
}

async fn failovers(lab: &Lab, report: &mut Report) -> Result<()> {
    let each = if quick() { 1 } else { 5 };
    let mut stage = Stage::enter(lab).await?;
    for fault in Fault::ALL.iter().cycle().take(each * Fault::ALL.len()) {
        stage.round(*fault, report).await?;
    }
    stage.leave(report).await?;
    report.count("failovers", each * Fault::ALL.len());
    Ok(())
}
