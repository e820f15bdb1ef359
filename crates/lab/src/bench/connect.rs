//! The benchmark `connect`: clients that connect, log in, ask one question and leave, over and over.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::figures::{COST, Figures, MEAN_MS, P99_MS, PER_SECOND};
use super::limits::{Bound, Limit};
use super::rounds::Case;
use super::runner::Work;
use super::stage::Stage;
use super::stats::{mean, percentile};
use super::wire::Session;
use super::{Bench, Cases, Upstream, runner};
use crate::galera::APP;

pub(super) const BENCH: Bench = Bench {
    name: "connect",
    about: "8 clients connect, log in, select 1 and quit, over and over",
    unit: "connection",
    upstream: Upstream::MariaDb,
    limits: &[
        Limit::ratio(&[PER_SECOND], "haproxy", Bound::AtLeast(1.0)),
        Limit::ratio(&[PER_SECOND], "nginx", Bound::AtLeast(1.0)),
        Limit::ratio(&COST, "haproxy", Bound::AtMost(1.0)),
    ],
    cases: |stage| -> Cases<'_> { Box::pin(cases(stage)) },
};

const CLIENTS: usize = 8;

async fn cases(stage: &Stage<'_>) -> Result<Vec<Case>> {
    let case = runner::case(stage, "8 clients", async |leg| {
        let (address, time) = (leg.engine.address, Duration::from_secs(leg.seconds));
        let start = Instant::now();
        let clients: Vec<_> =
            (0..CLIENTS).map(|_| tokio::task::spawn_blocking(move || visit(address, time))).collect();
        let mut millis = Vec::new();
        for client in clients {
            millis.extend(client.await??);
        }
        work(&millis, start.elapsed())
    });
    Ok(vec![case.await?])
}

/// One client, for so long: how many milliseconds each of its connections took, from the first packet to the last.
fn visit(address: SocketAddr, time: Duration) -> Result<Vec<f64>> {
    let (mut millis, mut buffer) = (Vec::new(), [0; 4096]);
    let start = Instant::now();
    while start.elapsed() < time {
        let began = Instant::now();
        let mut session = Session::open(address, APP)?;
        session.query("SELECT 1", &mut buffer)?;
        session.quit()?;
        millis.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(millis)
}

#[expect(clippy::cast_precision_loss, reason = "connections far below 2^52")]
fn work(millis: &[f64], took: Duration) -> Result<Work> {
    let units = millis.len() as f64;
    let figures = Figures::from([
        (PER_SECOND, units / took.as_secs_f64()),
        (MEAN_MS, mean(millis).context("no connection was made")?),
        (P99_MS, percentile(millis, 0.99).context("no connection was made")?),
    ]);
    Ok(Work { units, figures })
}
