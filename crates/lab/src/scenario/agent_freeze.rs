//! Scenario `agent-freeze`: the primary's agent is stopped, its server is not. Another leads when the session has ended, and
//! the agent that goes on acts on nothing it knew: not on its place in the election, and not on its last check.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::net::UnixDatagram;

use super::fencing::{self, Stage};
use super::scene::{self, PATIENCE};
use super::{Scenario, in_lab};
use crate::bank::quick;
use crate::daemon::WATCHDOG;
use crate::lab::Lab;
use crate::progress::{Progress, shown};
use crate::report::Report;
use crate::wait::wait_until;

/// How long the agent is stopped, and how long in a quick run: three session timeouts.
const FROZEN: Duration = Duration::from_secs(30);
const FROZEN_QUICK: Duration = Duration::from_secs(6);
/// How long an agent is watched that goes on: it opens a session within a second, and two checks take one more.
const WATCHED: Duration = Duration::from_secs(5);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "agent-freeze",
    about: "the primary's agent is stopped for 30 s: another leads, and the agent acts on nothing stale when it goes on",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(fencing::builder("read-only"), &progress, async |lab, report| freeze(lab, report).await).await
}

async fn freeze(lab: &Lab, report: &mut Report) -> Result<()> {
    let stage = Stage::open(lab).await?;
    let (agent, start) = (&lab.agents()[stage.primary], Instant::now());
    agent.freeze().await?;
    let (second, _) = lab.agreed_route(stage.first.epoch, PATIENCE).await?;
    report.check(second.upstream != stage.first.upstream, || "the same node leads".to_owned());
    lab.progress().say(format_args!("{} leads {} later", second.upstream, shown(start.elapsed())));
    report.millis("next_primary_ms", start.elapsed());
    tokio::time::sleep(frozen().saturating_sub(start.elapsed())).await;
    let thawed = Instant::now();
    agent.thaw()?;
    lab.progress().say("the agent goes on");
    tokio::time::sleep(WATCHED).await;
    report.none("changes_of_primary_after", stage.witness.changes(thawed));
    stage.one_znode_each(report).await?;
    let fenced = stage.agent().await?.fenced;
    report.check(fenced.is_null(), || format!("its server is still fenced: {fenced}"));
    dies_meanwhile(&stage, report).await?;
    is_managed(&stage, report).await?;
    report.none("changes_of_primary_after_all", stage.witness.changes(thawed));
    stage.close(report).await
}

/// The server dies while its agent is stopped: the last check that the agent knows found it well.
async fn dies_meanwhile(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let (lab, index) = (stage.lab, stage.primary);
    let (agent, node) = (&lab.agents()[index], &lab.nodes()[index]);
    agent.freeze().await?;
    scene::followed(lab, lab.nodes().len() - 1).await?;
    node.kill().await?;
    agent.thaw()?;
    let (thawed, mut seen) = (Instant::now(), 0);
    while thawed.elapsed() < WATCHED {
        seen += usize::from(candidates(lab, &stage.first.upstream).await? > 0);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    report.none("looks_at_a_znode_of_a_dead_server", seen);
    lab.progress().say("its server died while it was stopped again, and it has not registered");
    node.start().await?;
    node.wait_ready(lab.nodes().len()).await?;
    let back = async || (candidates(lab, &stage.first.upstream).await.ok()? == 1).then_some(());
    wait_until(PATIENCE, "the node is a candidate again", back).await?;
    stage.one_znode_each(report).await
}

/// Somebody plays the service manager: the agent that says nothing any more is killed and started anew.
async fn is_managed(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let agent = &stage.lab.agents()[stage.primary];
    let _ = fs::remove_file(agent.notify());
    let socket = UnixDatagram::bind(agent.notify()).context("cannot play the service manager")?;
    let mut word = [0; 256];
    tokio::time::timeout(PATIENCE, socket.recv(&mut word)).await.context("the agent says nothing")??;
    let frozen = Instant::now();
    agent.freeze().await?;
    while tokio::time::timeout(WATCHDOG, socket.recv(&mut word)).await.is_ok() {}
    agent.kill().await?;
    agent.start().await?;
    report.at_most("restarted_by_watchdog_ms", frozen.elapsed(), WATCHDOG * 2);
    stage.lab.progress().say(format_args!("frozen for {}, it is started anew", shown(frozen.elapsed())));
    agent.wait_ready().await?;
    stage.one_znode_each(report).await
}

/// Candidates of this node, as the first proxy sees them.
async fn candidates(lab: &Lab, upstream: &str) -> Result<usize> {
    let status = lab.proxies().first().context("no proxy")?.status().await?;
    Ok(status.election.members.iter().filter(|member| member.upstream == upstream).count())
}

fn frozen() -> Duration {
    if quick() { FROZEN_QUICK } else { FROZEN }
}
