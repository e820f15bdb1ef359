//! Scenario `agent-cut-long`: the primary's agent is cut off from ZooKeeper for longer than its session lives, and so cannot
//! know that another is elected. Its server takes no write from before that can happen until the agent is back.

use std::time::{Duration, Instant};

use anyhow::Result;
use mysql_async::prelude::Queryable;

use super::fencing::{self, Stage};
use super::scene::{self, PATIENCE};
use super::{Scenario, in_lab};
use crate::client;
use crate::galera::APP;
use crate::lab::Lab;
use crate::progress::{Progress, shown};
use crate::report::Report;
use crate::wait::wait_until;

/// How long the agent is cut off.
const CUT: Duration = Duration::from_secs(10);
/// When its server has to refuse writes: 2/3 of the session timeout, 2 s, and a moment for the statement.
const FENCED: Duration = Duration::from_millis(1_340);
/// How long the session lives: by then everything has to be over, also where a statement holds the fence up.
const SESSION: Duration = Duration::from_secs(2);
/// How long a server may go on to refuse writes after its agent is back: what the client library takes to connect anew.
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
    let fenced = stage.agent().await?.fenced;
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
    over_a_lock(&stage, report).await?;
    stage.close(report).await
}

/// The same once more, while a statement waits for a row that somebody else has locked: it must not hold the fence up, and
/// not be committed behind it.
async fn over_a_lock(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let (lab, door) = (stage.lab, &stage.lab.doors()[stage.primary]);
    let address = lab.nodes()[stage.primary].address();
    let mut holder = client::connect(address, APP, APP).await?;
    holder.query_drop("CREATE TABLE app.held (id INT PRIMARY KEY, v INT)").await?;
    holder.query_drop("INSERT INTO app.held VALUES (1, 0)").await?;
    holder.query_drop("BEGIN").await?;
    holder.query_drop("UPDATE app.held SET v = 1").await?;
    let mut waiter = client::connect(address, APP, APP).await?;
    let waits = tokio::spawn(async move {
        let outcome = waiter.query_drop("UPDATE app.held SET v = 2").await;
        (Instant::now(), outcome)
    });
    // A cut that comes before it waits would test nothing.
    // Not INNODB_TRX, which stays as it was for as long as it is read more often than every 100 ms.
    let lock = "SELECT CAST(VARIABLE_VALUE AS UNSIGNED) FROM information_schema.GLOBAL_STATUS \
                WHERE VARIABLE_NAME = 'Innodb_row_lock_current_waits'";
    let mut root = lab.nodes()[stage.primary].root().await?;
    let mut waiting =
        async || root.query_first::<u64, _>(lock).await.ok().flatten().filter(|waiting| *waiting > 0);
    wait_until(PATIENCE, "a statement waits for a lock", &mut waiting).await?;
    let start = Instant::now();
    door.cut();
    let (refused, _) =
        wait_until(PATIENCE, "the server refuses writes", async || stage.probe.refused(start)).await?;
    let (ended, outcome) = tokio::time::timeout(PATIENCE, waits).await??;
    report.at_most("fenced_over_a_lock_ms", refused - start, SESSION);
    report.at_most("waiting_statement_ended_ms", ended - start, SESSION);
    report.check(outcome.is_err(), || "the statement that waited was carried out".to_owned());
    door.heal();
    let healed = Instant::now();
    wait_until(PATIENCE, "the server takes writes again", async || stage.probe.acknowledged(healed)).await?;
    scene::followed(lab, lab.nodes().len()).await
}
