//! Scenario `connections-full`: clients take every connection the primary has, those of its agent too. It stays primary.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tokio::task::JoinSet;

use super::scene::Routes;
use super::{Scenario, in_lab};
use crate::bank::quick;
use crate::client;
use crate::galera::{APP, MONITOR, Node};
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;
use crate::wait::wait_until;

/// Enough for the proxies, the agent and a few clients; and few enough to be taken quickly.
const CONNECTIONS: &str = "30";
/// Clients that want a connection and keep it.
const CLIENTS: usize = 45;
/// Between two attempts of such a client: shorter than an agent's, so that a place that becomes free is theirs.
const PACE: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(30);
/// "Too many connections".
const FULL: u16 = 1040;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "connections-full",
    about: "clients take all of the primary's connections, then its agent's as well: it stays primary",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = Lab::builder().galera(3).zookeeper(1).agents(true).proxies(1);
    let builder = builder.server_option("max_connections", CONNECTIONS);
    in_lab(builder, &progress, async |lab, report| fill(lab, report).await).await
}

async fn fill(lab: &Lab, report: &mut Report) -> Result<()> {
    let last = Duration::from_secs(if quick() { 8 } else { 30 });
    let (route, _) = lab.agreed_route(0, PATIENCE).await?;
    let primary = lab.node_at(&route.upstream).context("the primary is no node of the lab")?;
    let (node, agent) = (&lab.nodes()[primary], &lab.agents()[primary]);
    let mut root = node.root().await?;
    let routes = Routes::watch(lab);

    let clients = take_all(node.address());
    wait_until(PATIENCE, "the primary has no connection left", async || {
        is_full(node.address()).await.then_some(())
    })
    .await?;
    lab.progress().say(format_args!("clients hold every connection of {}", node.name()));
    tokio::time::sleep(last).await;
    let seen = agent.status().await?;
    report.check(seen.fit, || format!("the agent, whose connections are open, says: {}", seen.reason));

    let mut killed = 0;
    wait_until(PATIENCE, "the agent has no connection and says so", async || {
        if agent.status().await.ok()?.reason.contains("Too many connections") {
            return Some(());
        }
        // The agent may have taken the place again before a client could.
        killed += kill_agents_connections(&mut root).await.ok()?;
        None
    })
    .await?;
    lab.progress().say(format_args!("{killed} connections of its agent are killed, and taken by clients"));
    tokio::time::sleep(last).await;
    let blind = agent.status().await?;
    report.check(blind.fit, || format!("the agent, which has no connection, says: {}", blind.reason));

    drop(clients);
    wait_until(PATIENCE, "the agent checks again", async || {
        (agent.status().await.ok()?.reason == "every check passed").then_some(())
    })
    .await?;
    report.count("agents_connections_killed", killed);
    judge(lab, node, &routes, report).await
}

async fn judge(lab: &Lab, node: &Node, routes: &Routes, report: &mut Report) -> Result<()> {
    let (route, _) = lab.agreed_route(0, PATIENCE).await?;
    let changes = routes.changes();
    report.none("changes_of_primary", changes.len()).because(|| changes.join("; "));
    report.check(route.upstream == node.address().to_string(), || format!("{} leads", route.upstream));
    Ok(())
}

/// Each takes a connection whenever there is one, and keeps it, until the set is dropped.
fn take_all(address: SocketAddr) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(async move {
            loop {
                if let Ok(mut conn) = client::connect(address, APP, APP).await {
                    // Ends with the connection.
                    let _ = conn.query_drop("SELECT SLEEP(3600)").await;
                }
                tokio::time::sleep(PACE).await;
            }
        });
    }
    clients
}

async fn is_full(address: SocketAddr) -> bool {
    matches!(client::connect(address, APP, APP).await, Err(Error::Server(error)) if error.code == FULL)
}

/// Those on which it checks, and those that prove to it that the server lives.
async fn kill_agents_connections(root: &mut Conn) -> Result<usize> {
    let select = format!("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '{MONITOR}'");
    let ids: Vec<u64> = root.query(select).await?;
    for id in &ids {
        root.query_drop(format!("KILL CONNECTION {id}")).await?;
    }
    Ok(ids.len())
}
