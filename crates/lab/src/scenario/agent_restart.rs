//! Scenario `agent-restart`: the primary's agent is killed and started again within the session timeout. It goes on with
//! its session, and nothing changes. Without what it has kept it waits for its own ghost, and the primary changes once.
//! Never are there two znodes of one node.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::scene::PATIENCE;
use super::{Scenario, in_lab};
use crate::bank::quick;
use crate::crowd::{Register, Watcher};
use crate::lab::Lab;
use crate::progress::{Progress, shown};
use crate::report::Report;
use crate::wait::wait_until;

/// The session timeout of everybody here.
const SESSION: Duration = Duration::from_secs(4);
/// Restarts with what was kept.
const RESTARTS: u32 = 8;
const RESTARTS_QUICKLY: u32 = 2;
/// How long the killed agent is away, at most.
const AWAY: Duration = Duration::from_millis(1_500);
/// How long is looked on after the agent is ready again: several of its checks.
const WATCHED: Duration = Duration::from_secs(3);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "agent-restart",
    about: "the primary's agent is killed and restarted: no change where its session is resumed, or exactly one",
    run: |progress| Box::pin(run(progress, if quick() { RESTARTS_QUICKLY } else { RESTARTS })),
};

/// The same with another number of restarts.
///
/// # Errors
/// The lab does not come up or cannot be ended.
pub async fn run(progress: Progress, restarts: u32) -> Result<Report> {
    let builder = Lab::builder().galera(3).zookeeper(1).agents(true).proxies(1).session_timeout(SESSION);
    in_lab(builder, &progress, async |lab, report| restart(lab, restarts, report).await).await
}

async fn restart(lab: &Lab, rounds: u32, report: &mut Report) -> Result<()> {
    super::scene::followed(lab, lab.nodes().len()).await?;
    let watcher = Watcher::start(Register::open(&lab.zookeeper()).await?);
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        slowest = slowest.max(once(lab, AWAY * round / rounds, false).await?);
    }
    let resumed = watcher.seen();
    report.count("restarts", rounds as usize);
    report.millis("registered_again_ms", slowest);
    report.none("changes_where_resumed", resumed.primaries.len().saturating_sub(1));

    let took = once(lab, Duration::ZERO, true).await?;
    lab.progress().say(format_args!("without what it had kept it was registered after {}", shown(took)));
    let seen = watcher.stop().await?;
    report.millis("registered_without_state_ms", took);
    let changes = seen.primaries.len().saturating_sub(resumed.primaries.len());
    report.exactly("changes_where_not_resumed", changes, 1);
    report.exactly("most_znodes_of_a_node", seen.most, 1).because(|| seen.doubles.join("; "));
    Ok(())
}

/// Kills the primary's agent and starts it again after `away`. Returns how long after its start it was registered.
async fn once(lab: &Lab, away: Duration, forgets: bool) -> Result<Duration> {
    let (route, _) = lab.agreed_route(0, PATIENCE).await?;
    let index = lab.node_at(&route.upstream).context("the primary is no node of the lab")?;
    let agent = &lab.agents()[index];
    agent.kill().await?;
    lab.progress().say(format_args!("killed {}, which leads; it is away for {}", agent.name(), shown(away)));
    if forgets {
        let state = agent.directory().join("state");
        std::fs::remove_dir_all(&state).with_context(|| format!("cannot remove {}", state.display()))?;
    }
    tokio::time::sleep(away).await;
    let started = Instant::now();
    agent.start().await?;
    let ready = async || {
        let (status, _) = crate::http::get(agent.admin(), "/readyz").await.ok()?;
        status.is_success().then_some(())
    };
    wait_until(PATIENCE, "the restarted agent is registered", ready).await?;
    let took = started.elapsed();
    super::scene::followed(lab, lab.nodes().len()).await?;
    tokio::time::sleep(WATCHED).await;
    Ok(took)
}
