//! Owns `lab up`: a lab for a person, with what to type.

use std::time::Duration;

use anyhow::{Context, Result};
use capitana_lab::{APP, Lab, Progress, program};

use crate::cli::Size;

const AGREE: Duration = Duration::from_secs(30);

/// Brings the lab up, says what to type, and stays until the caller drops it.
pub(crate) async fn up(size: Size, progress: &Progress) -> Result<bool> {
    let mut lab = start(size, progress).await?;
    let text = instructions(&lab).await?;
    lab.give_way();
    progress.line(text);
    std::future::pending().await
}

/// Brings up the lab of the demo.
pub(crate) async fn start(size: Size, progress: &Progress) -> Result<Lab> {
    let (nodes, zookeepers) = (size.nodes.into(), size.zookeepers.into());
    progress.say(format_args!(
        "bringing up {nodes} Galera nodes with agents, {zookeepers} ZooKeeper server(s), {} proxies",
        size.proxies
    ));
    Lab::builder()
        .galera(nodes)
        .zookeeper(zookeepers)
        .agents(true)
        .proxies(size.proxies.into())
        .start(progress)
        .await
}

async fn instructions(lab: &Lab) -> Result<String> {
    let (route, _) = lab.agreed_route(0, AGREE).await?;
    let proxy = lab.proxies().first().context("the lab has no proxy")?;
    let index = lab.node_at(&route.upstream).context("the primary is no node of the lab")?;
    let node = &lab.nodes()[index];
    let status = format!("{} status --zookeeper {}", program()?.display(), lab.zookeeper());
    let views: String = lab.proxies().iter().map(|proxy| format!(" --proxy {}", proxy.admin())).collect();
    Ok(format!(
        "\n\
         The primary is {name} ({upstream}), epoch {epoch}.\n\n\
         Write through a proxy, as any client does:\n  \
           mysql -h{host} -P{port} -u{APP} -p{APP} {APP}\n  \
           (for example: CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY); SELECT @@wsrep_node_name;)\n\n\
         Read on a replica:\n  \
           mysql -h{host} -P{replica_port} -u{APP} -p{APP} {APP}\n\n\
         Look at the election, the proxy and its metrics:\n  \
           {status}{views}\n  \
           http://{admin}/status\n  \
           http://{admin}/metrics\n\n\
         Kill the primary:\n  \
           kill -9 {pid}\n  \
           Its agent takes it out of the election at once, both proxies lead to the next node, and the session at the\n  \
           mysql prompt is cut: the client connects again by itself and is on the new primary. Writes wait there until\n  \
           Galera has put the dead member out, about 2 s in this lab.\n\n\
         Or let it step down, as in a planned change:\n  \
           kill {agent}\n\n\
         Logs and data are in {directory}.\n\
         Ctrl-C takes everything down.\n",
        name = node.name(),
        upstream = route.upstream,
        epoch = route.epoch,
        host = proxy.address().ip(),
        port = proxy.address().port(),
        replica_port = proxy.replica_address().port(),
        admin = proxy.admin(),
        pid = node.pid().unwrap_or_default(),
        agent = lab.agents()[index].pid().unwrap_or_default(),
        directory = lab.slot().directory().display(),
    ))
}
