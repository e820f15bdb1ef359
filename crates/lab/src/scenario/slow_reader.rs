//! Scenario `slow-reader`: 500 sessions ask for 20 MB each and read 1 KB a second. What the proxy keeps for each has a
//! bound, and sessions beside them do not feel it.
//!
//! The others ask by turns through that proxy and through one that has no such sessions: both meet the same server and
//! the same machine at the same moment.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::task::spawn_blocking;

use super::data_path::{Fixed, rest};
use super::{Scenario, in_lab};
use crate::bank::{percentile, quick};
use crate::bench::processes::memory_of_group;
use crate::bench::server::Server;
use crate::bench::wire::Session;
use crate::galera::APP;
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;
use crate::wait::wait_until;

const READERS: usize = 500;
const READERS_QUICKLY: usize = 100;
/// 20 MB in rows of 10 KB.
const RESULT: &str = "SELECT SPACE(10000) FROM app.seq_1_to_2000";
/// What a reader takes in a second.
const A_SECOND: usize = 1024;
/// What the kernel keeps for a reader that does not read: little, so that all of it is the proxy's or the server's.
const WINDOW: usize = 16 * 1024;
/// Rounds of reading after which the results have filled whatever they fill: before, it is 500 bulk transfers.
const SETTLED: usize = 3;
const PATIENCE: Duration = Duration::from_secs(120);
/// The other sessions, and how long they are measured.
const OTHERS: usize = 8;
const MEASURED: Duration = Duration::from_secs(15);
const MEASURED_QUICKLY: Duration = Duration::from_secs(5);
const ROWS: u32 = 10_000;
/// What the issue allows.
const MOST_KB: f64 = 64.0;
const MOST_RATIO: f64 = 1.2;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "slow-reader",
    about: "500 sessions ask for 20 MB each and read 1 KB/s: at most 64 KB each, others' p99 within 20 %",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(Lab::builder(), &progress, async |lab, report| beside(lab, report).await).await
}

async fn beside(lab: &Lab, report: &mut Report) -> Result<()> {
    let server = Server::start(lab).await?;
    let crowded = Fixed::start(lab, 0, server.address(), None).await?;
    let calm = Fixed::start(lab, 1, server.address(), None).await?;
    let ways = [crowded.address(), calm.address()];
    spawn_blocking(move || fill(ways[1])).await??;
    let before = measure(ways).await?;
    report.figure("p99_ms_before", before[0]);
    report.figure("p99_ratio_before", before[0] / before[1]);

    let empty = memory_of_group(crowded.pid()?)?;
    let readers = if quick() { READERS_QUICKLY } else { READERS };
    lab.progress().say(format_args!("{readers} sessions ask for 20 MB and hardly read"));
    let crowd = Arc::new(Crowd::default());
    let (reading, proxy) = (Arc::clone(&crowd), crowded.address());
    let slow = spawn_blocking(move || reading.read_slowly(proxy, readers));
    let during = async {
        let settled = async || (slow.is_finished() || crowd.rounds.load(Relaxed) >= SETTLED).then_some(());
        wait_until(PATIENCE, "all slow readers read", settled).await?;
        let during = measure(ways).await?;
        Ok::<_, anyhow::Error>((during, memory_of_group(crowded.pid()?)?))
    };
    let measured = during.await;
    crowd.stop.store(true, Relaxed);
    slow.await??;
    let (during, full) = measured?;

    #[expect(clippy::cast_precision_loss, reason = "kilobytes and sessions far below 2^52")]
    let each = full.pss.saturating_sub(empty.pss) as f64 / readers as f64;
    report.count("readers", readers);
    report.count("rounds_of_reading", crowd.rounds.load(Relaxed));
    report.at_most("kb_a_session", each, MOST_KB);
    report.figure("p99_ms_during", during[0]);
    report.figure("p99_ms_without_readers", during[1]);
    report.at_most("p99_ratio", during[0] / during[1], MOST_RATIO);
    Ok(())
}

fn fill(address: SocketAddr) -> Result<()> {
    let (mut session, mut buffer) = (Session::open(address, APP)?, [0; 4096]);
    let table = format!(
        "CREATE TABLE {APP}.point (id INT PRIMARY KEY, c CHAR(120) NOT NULL) \
         SELECT seq AS id, REPEAT('x', 120) AS c FROM {APP}.seq_1_to_{ROWS}"
    );
    session.query(&table, &mut buffer)?;
    Ok(session.quit()?)
}

/// The 99th percentile of point selects through both proxies, in milliseconds.
async fn measure(ways: [SocketAddr; 2]) -> Result<[f64; 2]> {
    let time = if quick() { MEASURED_QUICKLY } else { MEASURED };
    let others: Vec<_> = (0..OTHERS).map(|_| spawn_blocking(move || by_turns(ways, time))).collect();
    let mut millis = [Vec::new(), Vec::new()];
    for other in others {
        let took = other.await??;
        millis.iter_mut().zip(took).for_each(|(all, took)| all.extend(took));
    }
    Ok(millis.map(|millis| percentile(&millis, 99)))
}

/// One client with a session through each proxy: how long each of its questions took.
fn by_turns(ways: [SocketAddr; 2], time: Duration) -> Result<[Vec<f64>; 2]> {
    let mut sessions = [Session::open(ways[0], APP)?, Session::open(ways[1], APP)?];
    let (mut millis, mut buffer, start) = ([Vec::new(), Vec::new()], [0; 4096], Instant::now());
    while start.elapsed() < time {
        let first = fastrand::usize(..2);
        for way in [first, 1 - first] {
            let question = format!("SELECT c FROM {APP}.point WHERE id = {}", fastrand::u32(1..=ROWS));
            let asked = Instant::now();
            sessions[way].query(&question, &mut buffer)?;
            millis[way].push(asked.elapsed().as_secs_f64() * 1000.0);
        }
    }
    Ok(millis)
}

/// Sessions that ask for much and take little.
#[derive(Debug, Default)]
struct Crowd {
    /// How often each of them has read.
    rounds: AtomicUsize,
    stop: AtomicBool,
}

impl Crowd {
    /// Opens sessions that ask, and reads a little of each every second until it is to stop.
    fn read_slowly(&self, address: SocketAddr, readers: usize) -> Result<()> {
        let sessions: Result<Vec<_>> = (0..readers).map(|_| asking(address)).collect();
        let (mut sessions, mut buffer) = (sessions?, [0; A_SECOND]);
        while !self.stop.load(Relaxed) {
            let start = Instant::now();
            for session in &mut sessions {
                ensure!(session.read(&mut buffer)? > 0, "the proxy or the server has closed a slow reader");
            }
            self.rounds.fetch_add(1, Relaxed);
            rest(Duration::from_secs(1).saturating_sub(start.elapsed()));
        }
        Ok(())
    }
}

fn asking(address: SocketAddr) -> Result<Session> {
    let mut session = Session::open(address, APP)?;
    session.keep_at_most(WINDOW)?;
    // The server would give up a client that takes nothing for a minute.
    session.query("SET net_write_timeout = 3600", &mut [0; A_SECOND])?;
    session.ask(RESULT)?;
    Ok(session)
}
