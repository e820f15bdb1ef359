//! Scenario `rejoin`: the old primary comes back after a crash, and does not become the primary again.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Scenario, in_lab};
use crate::bank::{Fault, Stage, lab_of_the_issue, quick};
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;

/// How long it is watched after the old primary is a candidate again: many checks of its agent.
const WATCHED: Duration = Duration::from_secs(20);
const WATCHED_QUICKLY: Duration = Duration::from_secs(5);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "rejoin",
    about: "the old primary comes back after a crash, and nothing changes",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(lab_of_the_issue(), &progress, async |lab, report| rejoin(lab, report).await).await
}

async fn rejoin(lab: &Lab, report: &mut Report) -> Result<()> {
    let mut stage = Stage::enter(lab).await?;
    let lost = stage.primary()?;
    stage.lose(Fault::Crash, report).await?;
    let before = stage.bank.tally();
    let mended = async { Fault::Crash.mend(lab, lost).await.map(|()| Instant::now()) };
    let changes = watch(&stage, mended).await?;
    let seen = stage.bank.tally() - before;
    stage.leave(report).await?;
    report.none("changes_of_primary", changes);
    report.none("broken_sessions_at_rejoin", seen.cut + seen.ended).because(|| format!("{seen:?}"));
    Ok(())
}

/// Counts changes of the epoch while the old primary comes back, and for a while after.
async fn watch(stage: &Stage<'_>, mended: impl Future<Output = Result<Instant>>) -> Result<usize> {
    let while_watched = if quick() { WATCHED_QUICKLY } else { WATCHED };
    let mut mended = std::pin::pin!(mended);
    let (mut epoch, mut changes, mut until) = (stage.route.epoch, 0, None);
    while until.is_none_or(|until| Instant::now() < until) {
        tokio::select! {
            done = &mut mended, if until.is_none() => {
                until = Some(done? + while_watched);
                stage.lab.progress().say("the old primary is a candidate again");
            }
            () = tokio::time::sleep(LOOK) => {}
        }
        for proxy in stage.lab.proxies() {
            let route = proxy.status().await.ok().and_then(|status| status.route);
            if let Some(route) = route.filter(|route| route.epoch != epoch) {
                stage.lab.progress().say(format_args!("{} leads (epoch {})", route.upstream, route.epoch));
                epoch = route.epoch;
                changes += 1;
            }
        }
    }
    Ok(changes)
}
