//! Scenario `plain-mariadb`: two ordinary servers, agents that find that out by themselves. One is elected, followed,
//! and replaced when it crashes and when somebody sets `read_only`. Nothing is replicated here: that is somebody else's.

use std::time::Duration;

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;

use super::{Scenario, in_lab};
use crate::client;
use crate::election::Observer;
use crate::galera::{APP, Node};
use crate::lab::Lab;
use crate::progress::{Progress, shown};
use crate::report::Report;
use crate::status::Route;
use crate::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(30);
/// As of a Galera node.
const DETECTED: Duration = Duration::from_millis(500);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "plain-mariadb",
    about: "two ordinary MariaDB servers without Galera: one is elected, followed, and replaced",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = Lab::builder().plain().galera(2).zookeeper(1).agents(true).proxies(1);
    in_lab(builder, &progress, async |lab, report| pair(lab, report).await).await
}

async fn pair(lab: &Lab, report: &mut Report) -> Result<()> {
    let observer = Observer::connect(&lab.zookeeper()).await?;
    candidates(lab, 2).await?;
    let (route, _) = lab.agreed_route(0, PATIENCE).await?;
    let first = lab.node_at(&route.upstream).context("the primary is no node of the lab")?;
    report.check(leads(lab, first).await?, || "clients are not led to the primary".to_owned());
    canary(lab, first).await?;

    let znode = observer.candidate(&route.upstream).await?;
    let node = &lab.nodes()[first];
    let gone = observer.gone_after(&znode, PATIENCE, || node.signal(rustix::process::Signal::KILL)).await?;
    report.at_most("znode_gone_ms", gone, DETECTED);
    let (next, second) = changed(lab, &route, report).await?;
    canary(lab, second).await?;
    node.wait_exit(PATIENCE).await?;
    node.start().await?;
    candidates(lab, 2).await?;
    let (same, _) = lab.agreed_route(0, PATIENCE).await?;
    report.check(same == next, || "the server that came back took over".to_owned());

    lab.nodes()[second].execute("SET GLOBAL read_only = ON").await?;
    changed(lab, &next, report).await?;
    lab.nodes()[second].execute("SET GLOBAL read_only = OFF").await?;
    candidates(lab, 2).await?;
    report.count("changes_of_primary", 2);
    Ok(())
}

/// Waits for the next primary, which is the other one. Answers its route, and which node it is.
async fn changed(lab: &Lab, before: &Route, report: &mut Report) -> Result<(Route, usize)> {
    let (next, took) = lab.agreed_route(before.epoch, PATIENCE).await?;
    let node = lab.node_at(&next.upstream).context("the primary is no node of the lab")?;
    lab.progress().say(format_args!("{} leads after {}", lab.nodes()[node].name(), shown(took)));
    report.check(next.upstream != before.upstream, || "the same server leads".to_owned());
    report.check(leads(lab, node).await?, || "clients are not led to the next primary".to_owned());
    Ok((next, node))
}

/// Whether a client of the proxy reaches this server.
async fn leads(lab: &Lab, node: usize) -> Result<bool> {
    let proxy = lab.proxies().first().context("the lab has no proxy")?;
    let mut conn = client::connect(proxy.address(), APP, APP).await?;
    let reached: Option<String> = conn.query_first("SELECT @@socket").await?;
    let node: &Node = &lab.nodes()[node];
    Ok(reached.as_deref() == node.socket().to_str())
}

/// The agent of the server that leads commits rows of its own.
async fn canary(lab: &Lab, node: usize) -> Result<()> {
    let agent = &lab.agents()[node];
    let committed = async || agent.status().await.ok()?.canary.writes_rows().then_some(());
    wait_until(PATIENCE, "the agent's rows are committed", committed).await.map(drop)
}

async fn candidates(lab: &Lab, count: usize) -> Result<()> {
    let proxy = lab.proxies().first().context("the lab has no proxy")?;
    wait_until(PATIENCE, &format!("{count} servers are candidates"), async || {
        (proxy.status().await.ok()?.election.members.len() == count).then_some(())
    })
    .await
    .map(drop)
}
