//! Scenario `agent-cut-long`: the primary's agent is cut off from ZooKeeper for longer than its session lives, and so cannot
//! know that another is elected. Its server takes no write from before that can happen until the agent is back.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::fencing::{self, Stage};
use super::scene::PATIENCE;
use super::{Scenario, in_lab};
use crate::lab::Lab;
use crate::progress::{Progress, shown};
use crate::report::Report;
use crate::wait::wait_until;

/// How long the agent is cut off.
const CUT: Duration = Duration::from_secs(10);
/// When its server has to refuse writes: 2/3 of the session timeout, 2 s, and a moment for the statement.
const FENCED: Duration = Duration::from_millis(1_340);
/// How long a server may take writes again after its agent is back: what the client library takes to connect anew.
const LIFTED: Duration = Duration::from_secs(5);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "agent-cut-long",
    about: "the primary's agent is cut off from ZooKeeper for 10 s: its server is fenced before another primary opens",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let mut whole = Report::default();
    for mode in ["read-only", "reject"] {
        progress.say(format_args!("agents fence by {mode}"));
        let report =
            in_lab(fencing::builder(mode), &progress, async |lab, report| cut(lab, report).await).await?;
        whole.take_over(&mode.replace('-', "_"), report);
    }
    Ok(whole)
}

async fn cut(lab: &Lab, report: &mut Report) -> Result<()> {
    let stage = Stage::open(lab).await?;
    let (say, door, start) = (lab.progress(), &lab.doors()[stage.primary], Instant::now());
    door.cut();
    let (refused, _) =
        wait_until(PATIENCE, "the server refuses writes", async || stage.probe.refused(start)).await?;
    say.say(format_args!("its server refuses writes {} after the cut", shown(refused - start)));
    report.at_most("fenced_ms", refused - start, FENCED);
    let (second, _) = lab.agreed_route(stage.first.epoch, PATIENCE).await?;
    let opened = stage.witness.opened(stage.first.epoch).unwrap_or_else(Instant::now);
    say.say(format_args!("{} leads {} after the cut", second.upstream, shown(opened - start)));
    report.millis("next_primary_opened_ms", opened - start);
    report.check(refused < opened, || "another primary was open before the server was fenced".to_owned());
    let fenced = stage.agent().await?["fenced"].clone();
    report.check(fenced.is_object(), || format!("the agent says that it has not fenced: {fenced}"));

    tokio::time::sleep(CUT.saturating_sub(start.elapsed())).await;
    let healed = Instant::now();
    let (_, acknowledged) = stage.probe.counts(refused, healed);
    report.none("writes_taken_while_fenced", acknowledged);
    door.heal();
    let lifted = async || stage.probe.acknowledged(healed);
    let (lifted, _) = wait_until(PATIENCE, "the server takes writes again", lifted).await?;
    say.say(format_args!("it takes writes again {} after its agent is back", shown(lifted - healed)));
    report.at_most("lifted_ms", lifted - healed, LIFTED);
    stage.one_znode_each(report).await?;
    report.exactly("fences", fencing::fences(lab.agents()[stage.primary].admin()).await?, 1);
    let (route, _) = lab.agreed_route(0, PATIENCE).await?;
    report.check(route == second, || format!("the primary changed from {second:?} to {route:?}"));
    stage.close(report).await
}
