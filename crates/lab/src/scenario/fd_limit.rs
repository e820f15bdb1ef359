//! Scenario `fd-limit`: descriptors run out under clients that connect. The proxy waits for one without spinning, goes on
//! as soon as one is free, and loses no session.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures_util::future::select_all;
use tokio::time::timeout;

use super::data_path::{Fixed, kernel};
use super::raw::{Raw, login, packet};
use super::{Scenario, in_lab};
use crate::bank::{percentile, quick};
use crate::bench::processes::cpu_of_group;
use crate::bench::stub::Stub;
use crate::lab::Lab;
use crate::progress::{Progress, shown};
use crate::report::Report;

/// How many files the proxy may open.
const FILES: u64 = 256;
/// How long a client waits for its greeting before the proxy is taken to be out of descriptors.
const FULL: Duration = Duration::from_secs(2);
/// Clients that connect when there is no descriptor left.
const MORE: usize = 60;
/// How long the proxy's CPU time is watched then.
const WATCHED: Duration = Duration::from_secs(3);
const ROUNDS: usize = 40;
const ROUNDS_QUICKLY: usize = 15;
/// What issue and README promise.
const MOST_CPU_PERCENT: f64 = 5.0;
const RECOVERED: Duration = Duration::from_millis(100);
/// Well within the time for which clients are held.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "fd-limit",
    about: "descriptors run out under clients that connect: below 5 % CPU, back 100 ms after one is free, none lost",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(Lab::builder(), &progress, async |lab, report| run_out(lab, report).await).await
}

async fn run_out(lab: &Lab, report: &mut Report) -> Result<()> {
    let stub = Stub::start(SocketAddr::from((lab.slot().node(0), 3306))).await?;
    let proxy = Fixed::start(lab, 0, stub.address(), Some(FILES)).await?;
    let (mut open, mut waiting) = fill(proxy.address()).await?;
    let sessions = open.len();
    for _ in 0..MORE {
        waiting.push(connect(proxy.address()).await?);
    }
    lab.progress().say(format_args!("{sessions} sessions are open, {} clients wait", waiting.len()));
    report.count("sessions", sessions);
    report.count("waiting", waiting.len());
    report.count("descriptors", kernel::descriptors(proxy.pid()?)?);

    let cpu = watch(proxy.pid()?).await;
    report.at_most("cpu_percent", cpu, MOST_CPU_PERCENT);
    let mut lost = lost(&mut open).await;

    let (mut took, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..if quick() { ROUNDS_QUICKLY } else { ROUNDS } {
        // Any one: the longest there.
        drop(open.remove(0));
        let start = Instant::now();
        let served = next(&mut waiting, &mut refused).await?;
        took.push(start.elapsed());
        open.push(served);
    }
    judge(&took, report);
    lab.progress().say(format_args!("a free descriptor is taken after {}", shown(took[took.len() / 2])));

    lost += self::lost(&mut open).await;
    report.none("sessions_lost", lost);
    drop(open);
    refused.extend(unserved(waiting).await);
    report.none("clients_lost", refused.len()).because(|| refused.swap_remove(0));
    Ok(())
}

/// Opens sessions until no greeting comes any more: those, and the client that waits.
async fn fill(proxy: SocketAddr) -> Result<(Vec<Raw>, Vec<Raw>)> {
    let mut open = Vec::new();
    loop {
        let client = connect(proxy).await?;
        if timeout(FULL, client.0.readable()).await.is_err() {
            return Ok((open, vec![client]));
        }
        open.push(log_in(client).await?);
        ensure!(open.len() < FILES as usize, "the proxy has more sessions than descriptors for them");
    }
}

async fn connect(proxy: SocketAddr) -> Result<Raw> {
    Ok(Raw::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), proxy).await?)
}

async fn log_in(mut client: Raw) -> Result<Raw> {
    let greeting = client.packet().await?;
    ensure!(greeting.first() == Some(&10), "no greeting: {}", super::raw::text(&greeting));
    client.send(&login("app", "mysql_native_password")).await?;
    ensure!(client.packet().await?.first() == Some(&0), "not let in");
    Ok(client)
}

/// The CPU time of the proxy while nothing can be accepted, in percent of one core.
async fn watch(pid: u32) -> f64 {
    let (before, start) = (cpu_of_group(pid), Instant::now());
    tokio::time::sleep(WATCHED).await;
    (cpu_of_group(pid).saturating_sub(before)).as_secs_f64() / start.elapsed().as_secs_f64() * 100.0
}

/// How many sessions do not answer.
async fn lost(open: &mut [Raw]) -> usize {
    let mut lost = 0;
    for session in open {
        let asked = session.send(&packet(0, b"\x03SELECT 1")).await;
        let answered = asked.is_ok() && session.packet().await.is_ok_and(|answer| answer.first() == Some(&0));
        lost += usize::from(!answered);
    }
    lost
}

/// The next client that is served. Those that are told to go instead leave their reason.
async fn next(waiting: &mut Vec<Raw>, refused: &mut Vec<String>) -> Result<Raw> {
    while !waiting.is_empty() {
        let spoken_to = {
            let spoken_to: Vec<_> = waiting.iter().map(|client| Box::pin(client.0.readable())).collect();
            timeout(PATIENCE, select_all(spoken_to)).await.context("nobody is served any more")?.1
        };
        match log_in(waiting.swap_remove(spoken_to)).await {
            Ok(session) => return Ok(session),
            Err(error) => refused.push(error.to_string()),
        }
    }
    bail!("all clients were told to go, the last one: {}", refused.last().map_or("", String::as_str))
}

fn judge(took: &[Duration], report: &mut Report) {
    let millis: Vec<_> = took.iter().map(|took| took.as_secs_f64() * 1000.0).collect();
    report.count("rounds", took.len());
    report.at_most("recovered_ms_p50", percentile(&millis, 50), RECOVERED.as_secs_f64() * 1000.0);
    report.figure("recovered_ms_max", percentile(&millis, 100));
}

/// Why those that wait do not get a session although there are descriptors for all.
async fn unserved(waiting: Vec<Raw>) -> Vec<String> {
    let mut unserved = Vec::new();
    for client in waiting {
        unserved.extend(log_in(client).await.err().map(|error| error.to_string()));
    }
    unserved
}
