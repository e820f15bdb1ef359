//! Scenario `checksums`: gigabytes in writes of 1 byte to 16 MB, both directions at once, with pauses of writers and
//! readers. What arrives is what was sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ring::digest::{Context, SHA256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinSet;

use super::data_path::{Fixed, Pairs};
use super::{Scenario, in_lab};
use crate::bank::quick;
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;

/// Bytes in all, both directions together.
const BYTES: usize = 2_000_000_000;
const BYTES_QUICKLY: usize = 200_000_000;
/// Sessions that share them, at once.
const SESSIONS: usize = 4;
/// The largest write.
const LARGEST: usize = 16 << 20;
/// One write of so many is followed by a pause.
const WRITES_A_PAUSE: u32 = 8;
/// One read of so many is.
const READS_A_PAUSE: u32 = 128;
const PAUSE_MS: u64 = 20;
/// How long nothing may arrive.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "checksums",
    about: "2 GB in writes of 1 B to 16 MB, both directions at once, with pauses: sha256 is equal",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(Lab::builder(), &progress, async |lab, report| transfer(lab, report).await).await
}

async fn transfer(lab: &Lab, report: &mut Report) -> Result<()> {
    let server = SocketAddr::from((lab.slot().node(0), 3306));
    let pairs = Pairs::start(server).await?;
    let proxy = Fixed::start(lab, 0, server, None).await?;
    let seed = fastrand::u64(..1_000_000);
    lab.progress().say(format_args!("bytes, sizes and pauses come from seed {seed}"));
    let mut random = fastrand::Rng::with_seed(seed);
    let mut pool = vec![0; 2 * LARGEST];
    random.fill(&mut pool);
    let (pool, each) = (Arc::new(pool), if quick() { BYTES_QUICKLY } else { BYTES } / SESSIONS / 2);

    let start = Instant::now();
    let mut directions = JoinSet::new();
    for _ in 0..SESSIONS {
        let (client, server) = pairs.open(proxy.address()).await?;
        let ((at_client, to_server), (at_server, to_client)) = (client.into_split(), server.into_split());
        directions.spawn(direction((to_server, at_server), each, Arc::clone(&pool), random.fork()));
        directions.spawn(direction((to_client, at_client), each, Arc::clone(&pool), random.fork()));
    }
    let (mut different, mut ends) = (0, Vec::new());
    while let Some(done) = directions.join_next().await {
        let (equal, end) = done??;
        different += usize::from(!equal);
        // A write half that is dropped would end its direction while the other one goes on: `half-close` shows that.
        ends.push(end);
    }
    report.count("megabytes", each * SESSIONS * 2 / 1_000_000);
    report.figure("seconds", start.elapsed().as_secs_f64());
    report.none("directions_with_another_sha256", different);
    Ok(())
}

/// Sends and receives so many bytes: whether they are the same. Gives the ends back, still open.
async fn direction(
    (mut to, mut from): (OwnedWriteHalf, OwnedReadHalf),
    bytes: usize,
    pool: Arc<Vec<u8>>,
    mut random: fastrand::Rng,
) -> Result<(bool, (OwnedWriteHalf, OwnedReadHalf))> {
    let reader = random.fork();
    let (sent, received) =
        tokio::join!(send(&mut to, bytes, &pool, random), receive(&mut from, bytes, reader));
    Ok((sent? == received?, (to, from)))
}

async fn send(
    to: &mut OwnedWriteHalf,
    bytes: usize,
    pool: &[u8],
    mut random: fastrand::Rng,
) -> Result<Vec<u8>> {
    let (mut digest, mut left) = (Context::new(&SHA256), bytes);
    while left > 0 {
        let from = random.usize(..LARGEST);
        let piece = &pool[from..from + size(&mut random).min(left)];
        digest.update(piece);
        to.write_all(piece).await?;
        left -= piece.len();
        pause(&mut random, WRITES_A_PAUSE).await;
    }
    Ok(digest.finish().as_ref().to_vec())
}

async fn receive(from: &mut OwnedReadHalf, bytes: usize, mut random: fastrand::Rng) -> Result<Vec<u8>> {
    let (mut digest, mut left, mut buffer) = (Context::new(&SHA256), bytes, vec![0; 64 * 1024]);
    while left > 0 {
        let most = left.min(buffer.len());
        let read = tokio::time::timeout(PATIENCE, from.read(&mut buffer[..most])).await;
        let read = read.with_context(|| format!("{left} bytes do not arrive"))??;
        anyhow::ensure!(read > 0, "the connection ends {left} bytes early");
        digest.update(&buffer[..read]);
        left -= read;
        pause(&mut random, READS_A_PAUSE).await;
    }
    Ok(digest.finish().as_ref().to_vec())
}

/// Every order of magnitude is as likely as every other.
fn size(random: &mut fastrand::Rng) -> usize {
    let most = 1usize << random.u32(0..=LARGEST.ilog2());
    random.usize(most.div_ceil(2)..=most)
}

async fn pause(random: &mut fastrand::Rng, one_of: u32) {
    if random.u32(..one_of) == 0 {
        tokio::time::sleep(Duration::from_millis(random.u64(1..=PAUSE_MS))).await;
    }
}
