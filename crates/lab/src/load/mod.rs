//! Owns clients that write rows and keep book of them: the load under which scenarios break things.
//!
//! One client that writes is in `writer`, its book in `ledger`, what was lost or doubled in `verdict`; clients that only
//! come and go are in `newcomers`, those that only read in `readers`.

mod ledger;
mod newcomers;
mod readers;
mod verdict;
mod writer;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::galera::Node;
use crate::lab::Lab;
use crate::wait::wait_until;
use ledger::Timeline;
use writer::Writer;

pub use ledger::Ledger;
pub use newcomers::{Newcomers, Trouble, Visit};
pub use readers::{Readers, Readings};
pub use verdict::Verdict;

/// How long all clients may take for a few more rows: an outage on Galera's timeouts, and a hold.
const ROWS: Duration = Duration::from_secs(60);

/// No unique key on what clients write: a row that is written twice has to show.
const TABLES: [&str; 2] = [
    "CREATE TABLE app.written (id BIGINT AUTO_INCREMENT PRIMARY KEY, client INT NOT NULL, seq BIGINT NOT NULL, \
     KEY (client, seq))",
    "CREATE TABLE app.fence (client INT PRIMARY KEY, seq BIGINT NOT NULL)",
];

/// Clients that write, each on its own session, which it keeps while it can.
#[derive(Debug)]
pub struct Writers {
    tasks: JoinSet<Ledger>,
    stop: CancellationToken,
    timeline: Arc<Timeline>,
}

impl Writers {
    /// Makes the tables on `node`.
    ///
    /// # Errors
    /// The node does not run or refuses.
    pub async fn prepare(node: &Node) -> Result<()> {
        for table in TABLES {
            node.execute(table).await?;
        }
        Ok(())
    }

    /// Starts `count` clients, by turns on each of `targets`.
    pub fn start(lab: &Lab, targets: &[SocketAddr], count: usize) -> Self {
        let stop = CancellationToken::new();
        let timeline = Arc::new(Timeline::new(count));
        let sockets: Arc<Vec<_>> = Arc::new(lab.nodes().iter().map(named_socket).collect());
        let mut tasks = JoinSet::new();
        for (client, target) in targets.iter().cycle().take(count).enumerate() {
            let writer = Writer::new(client, *target, Arc::clone(&sockets), Arc::clone(&timeline));
            tasks.spawn(writer.run(stop.clone()));
        }
        Self { tasks, stop, timeline }
    }

    /// Waits until every client has written `rows` more.
    ///
    /// # Errors
    /// One has not after a minute.
    pub async fn wait_rows(&self, rows: u64) -> Result<()> {
        let load = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        let before: Vec<_> = self.timeline.counts.iter().map(load).collect();
        let more =
            || self.timeline.counts.iter().zip(&before).all(|(now, before)| load(now) >= before + rows);
        let what = format!("every client has written {rows} more rows");
        let waited = wait_until(ROWS, &what, async || more().then_some(())).await;
        waited.map(drop).with_context(|| format!("what went wrong last: {}", self.timeline.last_trouble()))
    }

    /// The longest time without an acknowledged row, among all clients together, since `start`.
    pub fn longest_gap(&self, start: Instant) -> Duration {
        self.timeline.longest_gap(start)
    }

    /// Lets every client finish its row, and returns their books.
    ///
    /// # Errors
    /// One does not finish within a minute, or panicked.
    pub async fn stop(mut self) -> Result<Ledger> {
        self.stop.cancel();
        let mut all = Ledger::default();
        let join = async {
            while let Some(ledger) = self.tasks.join_next().await {
                all.add(ledger.context("a client panicked")?);
            }
            anyhow::Ok(())
        };
        let joined = tokio::time::timeout(ROWS, join).await;
        joined.map_err(|_| anyhow!("a client did not finish its row within {ROWS:?}"))??;
        Ok(all)
    }
}

fn named_socket(node: &Node) -> (String, PathBuf) {
    (node.name().to_owned(), node.socket().to_owned())
}
