//! Scenario `read-after-write`: the primary is lost in every way, twenty times, while the other nodes are behind by a
//! batch, and each customer reads back its last acknowledged transfer first thing after it has reconnected. Then the same
//! without the barrier, for comparison.

use anyhow::Result;

use super::{Scenario, in_lab};
use crate::bank::{Batch, Fault, Stage, lab_of_the_issue, percentile, quick};
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;

/// What is printed of the run without the barrier.
const COMPARED: [&str; 8] = [
    "stale_reads",
    "failovers_with_stale_reads",
    "transactions_behind_median",
    "failovers",
    "acknowledged",
    "lost",
    "cut_transactions",
    "connection_errors",
];

pub(super) const SCENARIO: Scenario = Scenario {
    name: "read-after-write",
    about: "20 failovers of all kinds to a primary that is behind, with and without the barrier: who misses his last write",
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
    for name in COMPARED {
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
    let (mut stage, mut behind) = (Stage::enter(lab).await?, Vec::new());
    let mut failovers_with_stale = 0;
    let batch = Batch::prepare(&lab.nodes()[stage.primary()?]).await?;
    for fault in Fault::ALL.iter().cycle().take(each * Fault::ALL.len()) {
        behind.push(batch.commit(lab, stage.primary()?).await?);
        let seen = stage.round(*fault, report).await?;
        failovers_with_stale += usize::from(seen.tally.stale_reads > 0);
    }
    stage.leave(report).await?;
    report.figure("transactions_behind_median", percentile(&behind, 50));
    report.count("failovers_with_stale_reads", failovers_with_stale);
    report.count("failovers", each * Fault::ALL.len());
    Ok(())
}
