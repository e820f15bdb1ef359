//! Scenario `causal-reads`: clients write on the proxies' first listener and read at once on the second, whose sessions
//! begin with `SET SESSION wsrep_sync_wait=1`; then the same without that, for comparison. Also runs the example of
//! `docs/replicas.md`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;

use super::{Scenario, in_lab};
use crate::bank::quick;
use crate::builder::Builder;
use crate::client;
use crate::daemon::Proxy;
use crate::example;
use crate::galera::APP;
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;

/// Clients, each with a session to write on and one to read on.
const CLIENTS: usize = 20;
/// Pairs of a write and a read, of all clients together.
const PAIRS: usize = 10_000;
const PAIRS_QUICKLY: usize = 2_000;
/// What sessions for reads begin with.
const STATEMENT: &str = "SET SESSION wsrep_sync_wait=1";
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "causal-reads",
    about: "20 clients write on the first listener and read at once on the second, with replica-init-sql and without",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let causal = builder().proxy_argument(&format!("--replica-init-sql={STATEMENT}"));
    let mut report = in_lab(causal, &progress, async |lab, report| {
        let pairs = if quick() { PAIRS_QUICKLY } else { PAIRS };
        let seen = write_and_read(lab, pairs).await?;
        report.exactly("pairs", seen.pairs, pairs);
        report.none("stale_reads", seen.stale);
        report.none("reads_of_the_primary", seen.on_primary);
        report.millis("read_mean_ms", seen.mean());
        example::run(lab, "replicas.md").await
    })
    .await?;
    progress.say("without the statement");
    let without = in_lab(builder(), &progress, async |lab, report| {
        let seen = write_and_read(lab, if quick() { PAIRS_QUICKLY } else { PAIRS }).await?;
        report.count("stale_reads", seen.stale);
        report.millis("read_mean_ms", seen.mean());
        Ok(())
    });
    report.take_over("without", without.await?);
    Ok(report)
}

fn builder() -> Builder {
    Lab::builder().galera(3).zookeeper(1).agents(true).proxies(1)
}

/// What the clients saw.
#[derive(Debug, Default)]
struct Seen {
    pairs: usize,
    stale: usize,
    on_primary: usize,
    reading: Duration,
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.pairs += other.pairs;
        self.stale += other.stale;
        self.on_primary += other.on_primary;
        self.reading += other.reading;
    }

    fn mean(&self) -> Duration {
        self.reading / u32::try_from(self.pairs.max(1)).unwrap_or(u32::MAX)
    }
}

async fn write_and_read(lab: &Lab, pairs: usize) -> Result<Seen> {
    let (route, _) = lab.agreed_route(0, PATIENCE).await?;
    let primary = lab.node_at(&route.upstream).context("the primary is no node of the lab")?;
    let primary = &lab.nodes()[primary];
    primary.execute("CREATE TABLE app.last (client INT PRIMARY KEY, seq BIGINT NOT NULL)").await?;
    primary.execute(&format!("INSERT INTO app.last SELECT seq, 0 FROM app.seq_0_to_{CLIENTS}")).await?;
    let proxy = lab.proxies().first().context("no proxy")?;
    replicas_serve(proxy, lab.nodes().len() - 1).await?;
    let addresses = (proxy.address(), proxy.replica_address());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(client_of(number, addresses, pairs / CLIENTS, primary.name().to_owned()));
    }
    let mut all = Seen::default();
    while let Some(seen) = clients.join_next().await {
        all.add(&seen??);
    }
    lab.progress().say(format_args!("{} of {} reads missed the write before them", all.stale, all.pairs));
    Ok(all)
}

async fn replicas_serve(proxy: &Proxy, count: usize) -> Result<()> {
    let serve = async || {
        let replicas = proxy.status().await.ok()?.replicas;
        (replicas.members.len() == count && !replicas.by_fallback).then_some(())
    };
    crate::wait::wait_until(PATIENCE, &format!("{count} replicas serve"), serve).await.map(drop)
}

async fn client_of(
    number: usize,
    (write_on, read_on): (SocketAddr, SocketAddr),
    pairs: usize,
    primary: String,
) -> Result<Seen> {
    let mut writer = client::connect(write_on, APP, APP).await.context("cannot connect to write")?;
    let mut reader = client::connect(read_on, APP, APP).await.context("cannot connect to read")?;
    let node: Option<String> = reader.query_first("SELECT @@wsrep_node_name").await?;
    let on_primary = usize::from(node.as_ref() == Some(&primary));
    let mut seen = Seen { on_primary, ..Seen::default() };
    for seq in 1..=pairs {
        writer.query_drop(format!("UPDATE app.last SET seq = {seq} WHERE client = {number}")).await?;
        let began = Instant::now();
        let there = last(&mut reader, number).await?;
        seen.reading += began.elapsed();
        seen.pairs += 1;
        seen.stale += usize::from(there != Some(seq as u64));
    }
    writer.disconnect().await?;
    reader.disconnect().await?;
    Ok(seen)
}

async fn last(reader: &mut Conn, number: usize) -> mysql_async::Result<Option<u64>> {
    reader.query_first(format!("SELECT seq FROM app.last WHERE client = {number}")).await
}
