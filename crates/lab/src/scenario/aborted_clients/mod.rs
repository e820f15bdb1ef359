//! Scenario `aborted-clients`: 10,000 clients vanish at every stage of the handshake, and MariaDB, which blocks an address
//! after ten broken handshakes, never blocks the proxy's.
//!
//! What the clients do is in `stage`; `door` gives the proxy an address of which MariaDB keeps count.

mod door;
mod stage;

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::door::Door;
use self::stage::{ALL, Stage, Tls};
use super::{Scenario, in_lab};
use crate::candidates::Candidates;
use crate::certs::Certificates;
use crate::client::connect;
use crate::galera::{APP, Node};
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;
use crate::wait::wait_until;

const CLIENTS: usize = 10_000;
/// Clients at once.
const AT_ONCE: usize = 50;
/// Clients that do not trust the server's certificate, one after the other: there the server itself ends the handshake.
const DISTRUSTFUL: usize = 100;
/// Port scans that show, past the proxy, that the server does block.
const SCANS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "aborted-clients",
    about: "10,000 clients vanish at each stage of the handshake with max_connect_errors = 10: 0 times error 1129",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = Lab::builder()
        .galera(1)
        .zookeeper(1)
        .proxies(1)
        .server_option("skip_name_resolve", "OFF")
        .server_option("max_connect_errors", "10")
        .server_option("performance_schema", "ON")
        // Below the server's max_connections, so that the monitoring account always gets in.
        .proxy_argument("--max-upstream-connections=400");
    in_lab(builder, &progress, async |lab, report| abort(lab, report).await).await
}

async fn abort(lab: &Lab, report: &mut Report) -> Result<()> {
    let (node, proxy) = (lab.nodes().first().context("no node")?, lab.proxies().first().context("no proxy")?);
    let tls = enable_tls(lab, node).await?;
    let door = Door::open(lab.slot().node(7), lab.slot().node(8), node.address()).await?;
    let candidates = Candidates::connect(&lab.zookeeper()).await?;
    candidates.register(door.address.to_string().as_bytes()).await?;
    proxy.wait_ready().await?;

    crowd(lab, proxy.address(), &tls).await?;
    for _ in 0..DISTRUSTFUL {
        Stage::DistrustsTheServer.act(proxy.address(), &tls).await;
    }
    let idle = async || (proxy.status().await.ok()?.sessions.active == 0).then_some(());
    wait_until(PATIENCE, "the proxy has no session", idle).await?;
    let count = Count::read(node, &door).await?;
    lab.progress().say(format_args!("MariaDB: {count:?}"));
    report.count("clients", CLIENTS + DISTRUSTFUL);
    report.count("stages", ALL.len() + 1);
    report.none("error_1129", count.blocked);
    report.count("broken_handshakes", count.broken);
    let few = || "MariaDB saw few of the clients: nothing was shown".to_owned();
    report.at_least("denied_logins", count.denied, CLIENTS / 2).because(few);
    let after = connect(proxy.address(), APP, APP).await;
    report.check(after.is_ok(), || "afterwards nobody can log in through the proxy".to_owned());
    control(node, &door, report).await
}

/// All stages in turn, some at once.
async fn crowd(lab: &Lab, proxy: SocketAddr, tls: &Tls) -> Result<()> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let place = Arc::clone(&places).acquire_owned().await?;
        let (stage, tls) = (ALL[number % ALL.len()], tls.clone());
        clients.spawn(async move {
            stage.act(proxy, &tls).await;
            drop(place);
        });
        while clients.try_join_next().is_some() {}
        if number % 1_000 == 999 {
            lab.progress().say(format_args!("{} clients have vanished", number + 1));
        }
    }
    clients.join_all().await;
    Ok(())
}

/// That the server counts at all: the same without the proxy in between.
async fn control(node: &Node, door: &Door, report: &mut Report) -> Result<()> {
    for _ in 0..SCANS {
        let mut scan = super::raw::Raw::connect(SocketAddr::from(([127, 0, 0, 1], 0)), door.address).await?;
        let _ = scan.packet().await;
    }
    let blocked = async || {
        let count = Count::read(node, door).await.ok()?;
        (count.blocked > 0).then_some(count.blocked)
    };
    let (blocked, _) = wait_until(PATIENCE, "port scans without the proxy are blocked", blocked).await?;
    report.at_least("control_error_1129", blocked, 1);
    Ok(())
}

/// What the server holds against an address.
#[derive(Debug)]
struct Count {
    blocked: usize,
    broken: usize,
    denied: usize,
}

impl Count {
    async fn read(node: &Node, door: &Door) -> Result<Self> {
        let mut conn = node.root().await?;
        let question = format!(
            "SELECT count_host_blocked_errors, count_handshake_errors, \
             count_authentication_errors + count_auth_plugin_errors + count_no_auth_plugin_errors \
             FROM performance_schema.host_cache WHERE ip = '{}'",
            door.source
        );
        let row: Option<(usize, usize, usize)> = conn.query_first(question).await?;
        conn.disconnect().await?;
        let (blocked, broken, denied) = row.context("MariaDB keeps no count of the proxy's address")?;
        Ok(Self { blocked, broken, denied })
    }
}

/// The certificates hold addresses, which are known only once the lab is there.
async fn enable_tls(lab: &Lab, node: &Node) -> Result<Tls> {
    let names = [node.address().ip().to_string()];
    let certificates = Certificates::create(&lab.slot().directory().join("tls"), &names)?;
    let mut file = fs::OpenOptions::new().append(true).open(node.directory().join("my.cnf"))?;
    for (name, value) in certificates.server_options() {
        writeln!(file, "{name}={}", value.display())?;
    }
    node.stop().await?;
    node.start().await?;
    node.wait_ready(1).await?;
    Tls::new(&certificates.authority, node.address().ip())
}
