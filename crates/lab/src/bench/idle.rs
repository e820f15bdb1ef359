//! The benchmark `idle`: thousands of sessions that have logged in, asked once, and do nothing any more. Each engine is
//! started anew for each round, so that memory is counted from nothing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::engine::Engine;
use super::figures::{Figures, IDLE_CPU, PSS_KB, RSS_KB, SESSION_BYTES};
use super::limits::{Bound, Limit};
use super::rounds::{Case, DIRECT, Round};
use super::stage::Stage;
use super::{Bench, Cases, Upstream, processes, wire};

pub(super) const BENCH: Bench = Bench {
    name: "idle",
    about: "5,000 and 20,000 idle sessions: the memory of each, and the CPU of all",
    unit: "session",
    upstream: Upstream::Stub,
    limits: &[
        Limit { case: None, figures: &[SESSION_BYTES], against: None, bound: Bound::AtMost(1536.0) },
        Limit { case: None, figures: &[IDLE_CPU], against: None, bound: Bound::AtMost(0.3) },
    ],
    cases: |stage| -> Cases<'_> { Box::pin(cases(stage)) },
};

const SESSIONS: [usize; 2] = [5_000, 20_000];
/// How many connect at the same time.
const AT_ONCE: usize = 64;
/// How long the engine may take to come to rest after the last session has opened.
const REST: Duration = Duration::from_secs(20);

async fn cases(stage: &Stage<'_>) -> Result<Vec<Case>> {
    let sizes = sizes(stage)?;
    let mut cases: Vec<_> =
        sizes.iter().map(|n| Case { name: format!("{n} sessions"), rounds: Vec::new() }).collect();
    let mut random = fastrand::Rng::with_seed(stage.options.seed);
    for number in 1..=stage.options.rounds {
        let mut order: Vec<_> = stage.engines.iter().filter(|engine| engine.name != DIRECT).collect();
        random.shuffle(&mut order);
        let mut legs = vec![Vec::new(); cases.len()];
        for engine in order {
            let figures =
                measure(stage, engine, &sizes).await.with_context(|| format!("idle, {}", engine.name))?;
            for (legs, figures) in legs.iter_mut().zip(figures) {
                legs.push((engine.name.to_owned(), figures));
            }
        }
        stage.lab.progress().say(format_args!("round {number} is over"));
        cases.iter_mut().zip(legs).for_each(|(case, legs)| case.rounds.push(Round::of(legs)));
    }
    Ok(cases)
}

/// How many sessions; fewer where there are no descriptors for more: two a session here, two a session in the proxy.
fn sizes(stage: &Stage<'_>) -> Result<Vec<usize>> {
    let most = (processes::descriptor_limit().saturating_sub(500) / 2) as usize;
    if most < SESSIONS[0] {
        bail!("the limit of open files allows {most} sessions only: raise it (`ulimit -n`)");
    }
    // In thousands, so that the case has the same name wherever the limit is about the same.
    let largest = SESSIONS[1].min(most / 1000 * 1000);
    if largest < SESSIONS[1] {
        stage
            .lab
            .progress()
            .say(format_args!("the limit of open files allows {largest} sessions, not {}", SESSIONS[1]));
    }
    Ok(vec![SESSIONS[0], largest])
}

/// Starts an engine anew and fills it step by step.
async fn measure(stage: &Stage<'_>, engine: &Engine, sizes: &[usize]) -> Result<Vec<Figures>> {
    engine.stop().await?;
    engine.start().await?;
    // What the first sessions make an engine allocate once is not theirs.
    drop(open(engine.address, AT_ONCE).await?);
    rest(engine).await?;
    let empty = engine.memory()?.context("a proxy has memory")?;
    let (mut sessions, mut steps) = (Vec::new(), Vec::new());
    for &size in sizes {
        sessions.extend(open(engine.address, size - sessions.len()).await?);
        rest(engine).await?;
        steps.push(look(engine, empty.pss, (size, stage.options.seconds)).await?);
    }
    Ok(steps)
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
async fn look(engine: &Engine, empty: u64, (sessions, seconds): (usize, u64)) -> Result<Figures> {
    let (before, start) = (engine.cpu(), Instant::now());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let cpu = engine.cpu().saturating_sub(before).as_secs_f64() / start.elapsed().as_secs_f64();
    let memory = engine.memory()?.context("a proxy has memory")?;
    let grown = memory.pss.saturating_sub(empty) as f64 * 1024.0;
    Ok(Figures::from([
        (SESSION_BYTES, grown / sessions as f64),
        (IDLE_CPU, cpu * 100.0),
        (PSS_KB, memory.pss as f64),
        (RSS_KB, memory.rss as f64),
    ]))
}

/// Waits until the engine has used no CPU for half a second.
async fn rest(engine: &Engine) -> Result<()> {
    let deadline = Instant::now() + REST;
    let mut before = engine.cpu();
    while Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = engine.cpu();
        if now == before {
            return Ok(());
        }
        before = now;
    }
    bail!("it does not come to rest within {REST:?}")
}

async fn open(address: SocketAddr, sessions: usize) -> Result<Vec<TcpStream>> {
    stream::iter((0..sessions).map(|_| session(address))).buffer_unordered(AT_ONCE).try_collect().await
}

/// A session that has logged in and asked once.
async fn session(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; 256];
    let greeted = stream.read(&mut buffer).await?;
    ensure!(greeted > 4 && buffer[4] == 10, "no greeting comes");
    for request in [wire::packet(1, &wire::login("app", &[0; 20])), wire::packet(0, b"\x03SELECT 1")] {
        stream.write_all(&request).await?;
        let read = stream.read(&mut buffer).await?;
        ensure!(read > 4 && buffer[4] == 0, "the stub's OK does not come");
    }
    Ok(stream)
}
