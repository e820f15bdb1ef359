//! The benchmark `bulk`: one session reads 2 GB in rows of 1 MB. The rows are spaces, which cost the server least of all.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::figures::{COST, Figures, PER_SECOND};
use super::limits::{Bound, Limit};
use super::rounds::Case;
use super::runner::Work;
use super::stage::Stage;
use super::wire::Session;
use super::{Bench, Cases, Upstream, runner};
use crate::galera::APP;

pub(super) const BENCH: Bench = Bench {
    name: "bulk",
    about: "one session reads 2 GB in rows of 1 MB",
    unit: "MB",
    upstream: Upstream::MariaDb,
    limits: &[
        Limit::ratio(&[PER_SECOND], "haproxy", Bound::AtLeast(1.4)),
        Limit::ratio(&COST, "haproxy", Bound::AtMost(0.75)),
    ],
    cases: |stage| -> Cases<'_> { Box::pin(cases(stage)) },
};

/// Rows of 1 MB.
const ROWS: u32 = 2000;
/// The reader's buffer: the reader is not to be what limits.
const BUFFER: usize = 1 << 20;

async fn cases(stage: &Stage<'_>) -> Result<Vec<Case>> {
    let case = runner::case(stage, "2 GB", async |leg| {
        let address = leg.engine.address;
        let (megabytes, took) = tokio::task::spawn_blocking(move || transfer(address, ROWS)).await??;
        let figures = Figures::from([(PER_SECOND, megabytes / took.as_secs_f64())]);
        Ok(Work { units: megabytes, figures })
    });
    Ok(vec![case.await?])
}

/// Reads so many rows of 1 MB: the megabytes, and how long the answer took.
#[expect(clippy::cast_precision_loss, reason = "bytes far below 2^52")]
pub(super) fn transfer(address: SocketAddr, rows: u32) -> Result<(f64, Duration)> {
    let mut session = Session::open(address, APP)?;
    let mut buffer = vec![0; BUFFER];
    let start = Instant::now();
    let bytes = session.query(&format!("SELECT SPACE(1000000) FROM {APP}.seq_1_to_{rows}"), &mut buffer)?;
    let took = start.elapsed();
    session.quit()?;
    Ok((bytes as f64 / 1e6, took))
}
