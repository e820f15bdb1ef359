//! Scenario `lost-create-reply`: the reply to each create of several agents is lost and their connection cut, a thousand
//! times in all. ZooKeeper never has two znodes of one node.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::try_join_all;

use super::{Scenario, in_lab};
use crate::bank::quick;
use crate::crowd::{Register, Standing, Watcher};
use crate::lab::Lab;
use crate::lossy::Lossy;
use crate::progress::Progress;
use crate::report::Report;
use crate::wait::wait_until;

/// Replies that are lost.
const LOST: usize = 1_000;
const LOST_QUICKLY: usize = 50;
/// Agents that lose them.
const AGENTS: usize = 10;
/// How long everything waits for what should take a second.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "lost-create-reply",
    about: "the reply to create() is lost a thousand times, and no node ever has two znodes",
    run: |progress| Box::pin(run(progress, if quick() { LOST_QUICKLY } else { LOST })),
};

/// The same with another number of lost replies.
///
/// # Errors
/// The lab does not come up or cannot be ended.
pub async fn run(progress: Progress, lost: usize) -> Result<Report> {
    let builder = Lab::builder().galera(1).zookeeper(3);
    in_lab(builder, &progress, async |lab, report| lose(lab, lost, report).await).await
}

async fn lose(lab: &Lab, wanted: usize, report: &mut Report) -> Result<()> {
    let door = SocketAddr::from((lab.slot().other(2), 2181));
    let lossy = Lossy::start(door, lab.zookeepers()[0].connect_string().parse()?, wanted).await?;
    let register = Register::open(&lab.zookeeper()).await?;
    let watcher = Watcher::start(register.clone());
    let agents: Vec<_> =
        (0..AGENTS).map(|index| Standing::new(lab, index, &door.to_string(), &[])).collect::<Result<_>>()?;
    for agent in &agents {
        agent.process().start().await?;
    }
    lab.progress().say(format_args!("{AGENTS} agents register; {wanted} replies are lost on the way"));
    let began = Instant::now();
    try_join_all(agents.iter().map(|agent| again_and_again(agent, &register, &lossy, wanted))).await?;
    report.millis("took_ms", began.elapsed());
    every_node_has_one(&register, &agents).await?;
    let seen = watcher.stop().await?;
    report.exactly("lost_replies", lossy.lost(), wanted);
    report.count("lists_looked_at", seen.lists);
    report.exactly("most_znodes_of_a_node", seen.most, 1).because(|| seen.doubles.join("; "));
    Ok(())
}

/// Each znode that the agent has is deleted, so that it creates another, whose reply is lost.
async fn again_and_again(agent: &Standing, register: &Register, lossy: &Lossy, wanted: usize) -> Result<()> {
    let mut last = None;
    while lossy.lost() < wanted {
        let path = agent.wait_registered(last.as_deref()).await?;
        register.delete(&path).await?;
        last = Some(path);
    }
    Ok(())
}

/// In the end each agent has found its znode, and it is the one that ZooKeeper has.
async fn every_node_has_one(register: &Register, agents: &[Standing]) -> Result<()> {
    let agreed = async || {
        let mut nodes: Vec<_> = register.entries().await.ok()?.into_iter().map(|entry| entry.node).collect();
        nodes.sort();
        let mut expected: Vec<_> = agents.iter().map(|agent| agent.node().to_owned()).collect();
        expected.sort();
        (nodes == expected).then_some(())
    };
    wait_until(PATIENCE, "each node has one znode", agreed).await.map(drop)
}
