//! Scenario `crash-primary`: kill -9 of the primary's mariadbd, ten times, under a hundred customers of a bank.

use anyhow::Result;

use super::{Scenario, in_lab};
use crate::bank::{Fault, Stage, lab_of_the_issue, percentile, quick};
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;

/// What the way through a proxy may add to Galera's own stall, in milliseconds.
const ADDED_MS: f64 = 50.0;
const GAP_MS: f64 = 3_000.0;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "crash-primary",
    about: "kill -9 of the primary's mariadbd, round by round, under 100 customers of a bank",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(lab_of_the_issue(), &progress, async |lab, report| crash(lab, report).await).await
}

async fn crash(lab: &Lab, report: &mut Report) -> Result<()> {
    let rounds = if quick() { 2 } else { 10 };
    let mut stage = Stage::enter(lab).await?;
    let (mut gaps, mut added, mut floors) = (Vec::new(), Vec::new(), Vec::new());
    let (mut opened, mut most_broken) = (Vec::new(), 0);
    for _ in 0..rounds {
        let seen = stage.round(Fault::Crash, report).await?;
        gaps.push(seen.gap.as_secs_f64() * 1_000.0);
        added.extend(seen.added_ms());
        opened.extend(seen.opened_after_floor_ms());
        floors.extend(seen.floor.map(|floor| floor.as_secs_f64() * 1_000.0));
        most_broken = most_broken.max(seen.most_broken);
    }
    stage.leave(report).await?;
    let (median, gap) = (percentile(&added, 50), percentile(&gaps, 99));
    report.count("rounds", rounds);
    report.at_most("added_gap_ms_median", median.round(), ADDED_MS);
    report.figure("added_gap_ms_p99", percentile(&added, 99).round());
    report.figure("opened_after_floor_ms_median", percentile(&opened, 50).round());
    report.figure("galera_floor_ms_median", percentile(&floors, 50).round());
    report.figure("galera_floor_ms_p99", percentile(&floors, 99).round());
    report.figure("write_gap_ms_median", percentile(&gaps, 50).round());
    report.at_most("write_gap_ms_p99", gap.round(), GAP_MS);
    report.at_most("broken_sessions_of_one_customer_max", most_broken, 1);
    Ok(())
}
