//! Scenario `rogue-member`: candidates that nobody should follow, by the thousand: outside of the allow-list, garbage, a
//! megabyte. They are neither dialled nor noticed, behind the real candidates and before them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::scene::{self, PATIENCE, Scene};
use super::{Scenario, in_lab};
use crate::candidates::Candidates;
use crate::http;
use crate::lab::Lab;
use crate::progress::{Progress, shown};
use crate::report::Report;
use crate::wait::wait_until;

/// Candidates that nobody should follow, besides the big one.
const ROGUES: usize = 1000;
/// As much as ZooKeeper takes: its `jute.maxbuffer` is one megabyte, with the path and the lengths.
const BIG: usize = 1_000_000;
/// The addresses of every lab, and of nobody else.
const ALLOWED: &str = "127.77.0.0/16";

pub(super) const SCENARIO: Scenario = Scenario {
    name: "rogue-member",
    about: "1,000 candidates outside of the allow-list, of garbage and of 1 MB are neither followed nor dialled",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = scene::builder().proxy_argument("--allow-upstreams").proxy_argument(ALLOWED);
    in_lab(builder, &progress, async |lab, report| rogues(lab, report).await).await
}

async fn rogues(lab: &Lab, report: &mut Report) -> Result<()> {
    let stub = Stub::listen(Ipv4Addr::new(127, 88, lab.slot().number(), 1)).await?;
    let scene = Scene::open(lab).await?;
    let candidates = Candidates::connect(&lab.zookeeper()).await?;
    let seed = fastrand::u64(..);
    lab.progress().say(format_args!("the seed is {seed}"));
    let start = Instant::now();
    register(&candidates, stub.address, seed).await?;
    skipped(lab).await?;
    report.millis("registered_and_seen_ms", start.elapsed());
    lab.progress()
        .say(format_args!("{ROGUES} candidates that nobody should follow, and a big one, are there"));
    scene.close_unnoticed(report).await?;

    let (mut route, _) = lab.agreed_route(0, PATIENCE).await?;
    let mut longest = Duration::ZERO;
    for _ in lab.agents() {
        let leading = lab.node_at(&route.upstream).context("the primary is no node of the lab")?;
        let start = Instant::now();
        lab.agents()[leading].stop().await?;
        route = lab.agreed_route(route.epoch, PATIENCE).await?.0;
        longest = longest.max(start.elapsed());
        lab.progress().say(format_args!("{} leads after {}", route.upstream, shown(start.elapsed())));
        lab.agents()[leading].start().await?;
        scene::followed(lab, lab.nodes().len()).await?;
    }
    skipped(lab).await?;
    report.millis("change_beside_rogues_ms", longest);
    report.check(lab.node_at(&route.upstream).is_some(), || format!("{} is followed", route.upstream));
    let dialled = || format!("{} was dialled", stub.address);
    report.none("rogue_connections", stub.connections.load(Ordering::Relaxed)).because(dialled);
    report.none("rogue_bytes", stub.bytes.load(Ordering::Relaxed));
    Ok(())
}

/// Registers all kinds of them.
async fn register(candidates: &Candidates, rogue: SocketAddr, seed: u64) -> Result<()> {
    let mut random = fastrand::Rng::with_seed(seed);
    let json = format!("{{\"host\": \"{}\", \"port\": {}}}", rogue.ip(), rogue.port());
    for number in 0..ROGUES {
        let length = random.usize(0..200);
        let garbage: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
        let data = match number % 5 {
            0 => json.clone().into_bytes(),
            1 => rogue.to_string().into_bytes(),
            2 => rogue.ip().to_string().into_bytes(),
            3 => b"localhost:3306".to_vec(),
            _ => [b"\0".to_vec(), garbage].concat(),
        };
        candidates.register(&data).await?;
    }
    candidates.register(&vec![b'1'; BIG]).await.map(drop)
}

/// Waits until every proxy has seen and skipped all of them.
async fn skipped(lab: &Lab) -> Result<()> {
    let seen = async || {
        for proxy in lab.proxies() {
            let status: Value = http::get_json(proxy.admin(), "/status").await.ok()?;
            let skipped = status.pointer("/election/skipped")?.as_array()?.len();
            if skipped != ROGUES + 1 {
                return None;
            }
        }
        Some(())
    };
    wait_until(PATIENCE, "all proxies have seen every candidate", seen).await.map(drop)
}

/// Where the rogues point to: it counts who comes and what is sent.
struct Stub {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Stub {
    async fn listen(ip: Ipv4Addr) -> Result<Self> {
        let listener = TcpListener::bind((ip, 3306)).await?;
        let address = listener.local_addr()?;
        let (connections, bytes) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (accepted, received) = (Arc::clone(&connections), Arc::clone(&bytes));
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::Relaxed);
                let mut data = Vec::new();
                // It is the bytes before the end that count, whatever the end is.
                let _ = stream.read_to_end(&mut data).await;
                received.fetch_add(data.len(), Ordering::Relaxed);
            }
        });
        Ok(Self { address, connections, bytes, _task: task })
    }
}
