//! The benchmark `mixed`: point selects beside sessions that read without end, all through the same engine. It shows
//! whether a large result holds up short queries.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use anyhow::Result;

use super::figures::{BULK_MB_S, P99_MS};
use super::limits::{Bound, Limit};
use super::rounds::Case;
use super::runner::{Leg, Work};
use super::stage::Stage;
use super::{Bench, Cases, Upstream, bulk, runner, sysbench};

pub(super) const BENCH: Bench = Bench {
    name: "mixed",
    about: "sysbench oltp_point_select with 16 clients beside four sessions that read rows of 1 MB without end",
    unit: "query",
    upstream: Upstream::MariaDb,
    limits: &[Limit::ratio(&[P99_MS], "haproxy", Bound::AtMost(1.0))],
    cases: |stage| -> Cases<'_> { Box::pin(cases(stage)) },
};

const READERS: usize = 4;
const CLIENTS: usize = 16;
/// Rows of 1 MB in one answer: a reader looks between two whether it is to stop.
const ROWS: u32 = 100;

async fn cases(stage: &Stage<'_>) -> Result<Vec<Case>> {
    sysbench::prepare(stage).await?;
    Ok(vec![
        runner::case(stage, "16 clients, 4 readers", async |leg| beside_readers(stage, leg).await).await?,
    ])
}

async fn beside_readers(stage: &Stage<'_>, leg: &Leg<'_>) -> Result<Work> {
    let stop = Arc::new(AtomicBool::new(false));
    let start = Instant::now();
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let (address, stop) = (leg.engine.address, Arc::clone(&stop));
            tokio::task::spawn_blocking(move || read(address, &stop))
        })
        .collect();
    let work = sysbench::load(stage.lab, leg, "oltp_point_select", CLIENTS).await;
    stop.store(true, Relaxed);
    let mut megabytes = 0.0;
    for reader in readers {
        megabytes += reader.await??;
    }
    let mut work = work?;
    work.figures.insert(BULK_MB_S, megabytes / start.elapsed().as_secs_f64());
    Ok(work)
}

/// Reads answers until it is to stop: the megabytes.
fn read(address: SocketAddr, stop: &AtomicBool) -> Result<f64> {
    let mut megabytes = 0.0;
    while !stop.load(Relaxed) {
        megabytes += bulk::transfer(address, ROWS)?.0;
    }
    Ok(megabytes)
}
