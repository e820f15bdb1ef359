//! Owns the mixed load of a soak: sessions that ask on and on, clients that come and go, slow readers, and clients that
//! vanish in the midst of something. All of them come back after a failover.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use anyhow::Result;

use crate::bench::wire::Session;
use crate::galera::APP;
use crate::scenario::data_path::rest;

/// Most of the sessions: those that come and go are few beside them, and their number at a moment moves little.
const ASKING: usize = 100;
const VISITING: usize = 8;
const SLOW: usize = 8;
const ABORTING: usize = 4;
/// Between two questions of one client.
const THINKING: Duration = Duration::from_millis(20);
/// Between two visits or aborts of one client, so that local ports are not what runs out.
const PAUSE: Duration = Duration::from_millis(10);
/// After a session that broke: the primary changes.
const BROKEN: Duration = Duration::from_millis(100);
/// Between two reads of a slow reader.
const SLOWLY: Duration = Duration::from_secs(1);
/// What a slow reader asks for, how much it takes each time, and how often.
const RESULT: &str = "SELECT SPACE(10000) FROM app.seq_1_to_2000";
const A_READ: usize = 1024;
const READS: usize = 20;
const WINDOW: usize = 16 * 1024;

/// What was done, and how many sessions ended otherwise than their clients wanted.
#[derive(Debug, Default)]
struct Counters {
    questions: AtomicUsize,
    connections: AtomicUsize,
    slow_reads: AtomicUsize,
    aborts: AtomicUsize,
    broken: AtomicUsize,
}

/// The same at the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    pub(super) questions: usize,
    pub(super) connections: usize,
    pub(super) slow_reads: usize,
    pub(super) aborts: usize,
    pub(super) broken: usize,
}

/// A running load. Dropped, it ends by itself.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    counters: Arc<Counters>,
    clients: Vec<JoinHandle<()>>,
}

/// What one kind of client does once; it is done over and over.
type Kind = fn(&Client) -> Result<()>;

struct Client {
    proxy: SocketAddr,
    stop: Arc<AtomicBool>,
    counters: Arc<Counters>,
    seed: u64,
}

impl Load {
    /// Starts all clients.
    pub(super) fn start(proxy: SocketAddr, seed: u64) -> Self {
        let (stop, counters) = (Arc::<AtomicBool>::default(), Arc::<Counters>::default());
        let kinds: [(usize, Kind); 4] =
            [(ASKING, ask), (VISITING, visit), (SLOW, read_slowly), (ABORTING, abort)];
        let kinds = kinds.into_iter().flat_map(|(clients, kind)| std::iter::repeat_n(kind, clients));
        let clients = kinds.enumerate().map(|(number, kind)| {
            let (stop, counters) = (Arc::clone(&stop), Arc::clone(&counters));
            let client = Client { proxy, stop, counters, seed: seed.wrapping_add(number as u64) };
            spawn(move || client.run(kind))
        });
        let clients = clients.collect();
        Self { stop, counters, clients }
    }

    /// Ends it, and says what was done.
    pub(super) async fn end(mut self) -> Result<Done> {
        self.stop.store(true, Relaxed);
        let clients = std::mem::take(&mut self.clients);
        tokio::task::spawn_blocking(move || clients.into_iter().for_each(|client| drop(client.join())))
            .await?;
        let Counters { questions, connections, slow_reads, aborts, broken } = &*self.counters;
        Ok(Done {
            questions: questions.load(Relaxed),
            connections: connections.load(Relaxed),
            slow_reads: slow_reads.load(Relaxed),
            aborts: aborts.load(Relaxed),
            broken: broken.load(Relaxed),
        })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

impl Client {
    fn run(&self, kind: Kind) {
        while !self.stops() {
            if kind(self).is_err() {
                self.counters.broken.fetch_add(1, Relaxed);
                rest(BROKEN);
            }
        }
    }

    fn stops(&self) -> bool {
        self.stop.load(Relaxed)
    }
}

/// Asks for as long as the session lives.
fn ask(client: &Client) -> Result<()> {
    let (mut session, mut buffer) = (Session::open(client.proxy, APP)?, [0; 4096]);
    while !client.stops() {
        session.query("SELECT 1", &mut buffer)?;
        client.counters.questions.fetch_add(1, Relaxed);
        rest(THINKING);
    }
    Ok(session.quit()?)
}

/// Comes, asks once and goes.
fn visit(client: &Client) -> Result<()> {
    let mut session = Session::open(client.proxy, APP)?;
    session.query("SELECT 1", &mut [0; 4096])?;
    session.quit()?;
    client.counters.connections.fetch_add(1, Relaxed);
    rest(PAUSE);
    Ok(())
}

/// Asks for more than it ever takes, and goes in the midst of it.
fn read_slowly(client: &Client) -> Result<()> {
    let mut session = Session::open(client.proxy, APP)?;
    session.keep_at_most(WINDOW)?;
    session.ask(RESULT)?;
    for _ in 0..READS {
        if client.stops() || session.read(&mut [0; A_READ])? == 0 {
            break;
        }
        client.counters.slow_reads.fetch_add(1, Relaxed);
        rest(SLOWLY);
    }
    Ok(())
}

/// Vanishes: before the greeting, after it, or with a question under way.
fn abort(client: &Client) -> Result<()> {
    let number = client.counters.aborts.fetch_add(1, Relaxed) as u64;
    match fastrand::Rng::with_seed(client.seed.wrapping_add(number)).u8(..3) {
        0 => drop(TcpStream::connect(client.proxy)?),
        1 => drop(Session::open(client.proxy, APP)?),
        _ => Session::open(client.proxy, APP)?.ask("SELECT SLEEP(0.05)")?,
    }
    rest(PAUSE);
    Ok(())
}
