//! Owns clients that only read, each on a session that it renews now and then, as a pool does: where they are, how long
//! they wait, and what goes wrong between two transactions and within one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client;
use crate::galera::APP;
use crate::wait::wait_until;

/// Between two transactions of a client.
const PACE: Duration = Duration::from_millis(20);
/// Transactions of one session: it is renewed after one or two seconds.
const LIFE: std::ops::Range<usize> = 30..60;
/// How long a connection may take; capitana holds a client for 8 s by default.
const CONNECT: Duration = Duration::from_secs(30);
/// Before another attempt to connect.
const PAUSE: Duration = Duration::from_millis(20);
/// What a client reads in a transaction; the last names the node.
const STATEMENTS: [&str; 4] =
    ["START TRANSACTION", "SELECT COUNT(*) FROM app.probe", "SELECT @@wsrep_node_name", "COMMIT"];

/// What the clients have met so far.
#[derive(Debug, Clone, Default)]
pub struct Readings {
    /// Transactions, by the node that answered.
    pub reads: BTreeMap<String, usize>,
    /// Sessions that were opened.
    pub opened: usize,
    /// Sessions that had ended when their client came back from a pause: it has lost nothing.
    pub ended: usize,
    /// Sessions that broke within a transaction, as the library says it.
    pub cut: Vec<String>,
    /// Attempts to connect that failed, as the library says it.
    pub refused: Vec<String>,
    /// The longest time a client went without an answer.
    pub longest: Duration,
}

/// Clients that read until they are stopped.
#[derive(Debug)]
pub struct Readers {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    readings: Mutex<Readings>,
    /// The node of each client's session.
    places: Mutex<Vec<Option<String>>>,
    /// How many sessions each client has opened.
    opened: Vec<AtomicUsize>,
}

impl Readers {
    /// Starts `count` clients, by turns on each of `targets`. They want a table `app.probe`.
    pub fn start(targets: &[SocketAddr], count: usize, seed: u64) -> Self {
        let stop = CancellationToken::new();
        let opened = (0..count).map(|_| AtomicUsize::new(0)).collect();
        let shared =
            Arc::new(Shared { readings: Mutex::default(), places: Mutex::new(vec![None; count]), opened });
        let mut random = fastrand::Rng::with_seed(seed);
        let mut tasks = JoinSet::new();
        for (number, target) in targets.iter().cycle().take(count).enumerate() {
            let reader =
                Reader { number, target: *target, random: random.fork(), shared: Arc::clone(&shared) };
            tasks.spawn(reader.run(stop.clone()));
        }
        Self { tasks, stop, shared }
    }

    /// What they have met so far.
    pub fn readings(&self) -> Readings {
        self.shared.readings().clone()
    }

    /// How many sessions there are on each node.
    pub fn places(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for place in self.shared.places().iter().flatten() {
            *counts.entry(place.clone()).or_default() += 1;
        }
        counts
    }

    /// Waits until every client has ended the session it has, and opened another.
    ///
    /// # Errors
    /// One has not after a minute.
    pub async fn wait_renewed(&self) -> Result<()> {
        let opened = || self.shared.opened.iter().map(|count| count.load(Ordering::Relaxed));
        let before: Vec<_> = opened().collect();
        let renewed = async || opened().zip(&before).all(|(now, before)| now > *before).then_some(());
        wait_until(CONNECT * 2, "every reader has renewed its session", renewed).await.map(drop)
    }

    /// Lets every client finish its transaction; what they have met.
    ///
    /// # Errors
    /// One does not finish, or panicked.
    pub async fn stop(mut self) -> Result<Readings> {
        self.stop.cancel();
        let join = async {
            while let Some(ended) = self.tasks.join_next().await {
                ended?;
            }
            anyhow::Ok(())
        };
        let joined = tokio::time::timeout(CONNECT * 2, join).await;
        joined.map_err(|_| anyhow!("a reader did not finish its transaction"))??;
        Ok(self.readings())
    }
}

impl Shared {
    fn readings(&self) -> MutexGuard<'_, Readings> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn places(&self) -> MutexGuard<'_, Vec<Option<String>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Reader {
    number: usize,
    target: SocketAddr,
    random: fastrand::Rng,
    shared: Arc<Shared>,
}

impl Reader {
    async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let life = self.random.usize(LIFE);
            if let Some(conn) = self.connect().await {
                self.read(conn, life, &stop).await;
                self.shared.places()[self.number] = None;
            }
        }
    }

    async fn connect(&mut self) -> Option<Conn> {
        let began = Instant::now();
        let error = match tokio::time::timeout(CONNECT, client::connect(self.target, APP, APP)).await {
            Ok(Ok(conn)) => {
                let mut readings = self.shared.readings();
                readings.opened += 1;
                self.shared.opened[self.number].fetch_add(1, Ordering::Relaxed);
                readings.longest = readings.longest.max(began.elapsed());
                return Some(conn);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no session after {CONNECT:?}"),
        };
        self.shared.readings().refused.push(error);
        tokio::time::sleep(PAUSE).await;
        None
    }

    /// Makes transactions until the session is to be renewed, or has ended.
    async fn read(&mut self, mut conn: Conn, life: usize, stop: &CancellationToken) {
        for _ in 0..life {
            let began = Instant::now();
            match transaction(&mut conn).await {
                Ok(node) => {
                    let mut readings = self.shared.readings();
                    *readings.reads.entry(node.clone()).or_default() += 1;
                    readings.longest = readings.longest.max(began.elapsed());
                    drop(readings);
                    self.shared.places()[self.number] = Some(node);
                }
                Err((0, _)) => {
                    self.shared.readings().ended += 1;
                    return;
                }
                Err((step, error)) => {
                    let what = format!("{}: {error}", STATEMENTS[step]);
                    self.shared.readings().cut.push(what);
                    return;
                }
            }
            if stop.run_until_cancelled(tokio::time::sleep(PACE)).await.is_none() {
                break;
            }
        }
        let _ = conn.disconnect().await;
    }
}

/// Answers the node's name; the error with the statement it befell.
async fn transaction(conn: &mut Conn) -> Result<String, (usize, Error)> {
    let mut node = None;
    for (step, statement) in STATEMENTS.iter().enumerate() {
        let row: Option<String> = conn.query_first(*statement).await.map_err(|error| (step, error))?;
        node = row.filter(|_| step == 2).or(node);
    }
    Ok(node.unwrap_or_default())
}
