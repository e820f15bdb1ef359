//! Owns clients that come and go: each connects, asks which node it reached, and leaves. What they met is kept.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use mysql_async::Error;
use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client;
use crate::galera::APP;

/// Between two visits of one client: with two clients on each of two proxies, about 40 new connections a second.
const PACE: Duration = Duration::from_millis(100);
/// How long one visit may take; capitana holds a client for 8 s by default.
const PATIENCE: Duration = Duration::from_secs(30);

/// Clients that come and go, until they are stopped.
#[derive(Debug)]
pub struct Newcomers {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    visits: Arc<Mutex<Vec<Visit>>>,
}

/// One visit.
#[derive(Debug, Clone)]
pub struct Visit {
    /// When it began to connect.
    pub began: Instant,
    /// When it had its answer, or gave up.
    pub ended: Instant,
    /// The name of the node that answered, or what went wrong.
    pub outcome: Result<String, Trouble>,
}

/// What went wrong.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// The code of the error packet, if there was one.
    pub code: Option<u16>,
    /// What the library says.
    pub text: String,
}

impl Newcomers {
    /// Starts `each` clients on each of `targets`.
    pub fn start(targets: &[SocketAddr], each: usize) -> Self {
        let (stop, visits) = (CancellationToken::new(), Arc::new(Mutex::default()));
        let mut tasks = JoinSet::new();
        for target in targets.iter().flat_map(|target| std::iter::repeat_n(*target, each)) {
            tasks.spawn(come_and_go(target, Arc::clone(&visits), stop.clone()));
        }
        Self { tasks, stop, visits }
    }

    /// The visits that have ended so far.
    pub fn visits(&self) -> Vec<Visit> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets every client end its visit, and returns all visits, in the order of their ends.
    ///
    /// # Errors
    /// A client panicked, or does not end its visit.
    pub async fn stop(mut self) -> Result<Vec<Visit>> {
        self.stop.cancel();
        let join = async {
            while let Some(ended) = self.tasks.join_next().await {
                ended?;
            }
            anyhow::Ok(())
        };
        let joined = tokio::time::timeout(PATIENCE * 2, join).await;
        joined.map_err(|_| anyhow!("a client did not end its visit"))??;
        Ok(self.visits())
    }
}

impl Visit {
    /// How long it took.
    pub fn took(&self) -> Duration {
        self.ended - self.began
    }
}

async fn come_and_go(target: SocketAddr, visits: Arc<Mutex<Vec<Visit>>>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let began = Instant::now();
        let outcome = match tokio::time::timeout(PATIENCE, visit(target)).await {
            Ok(Ok(node)) => Ok(node),
            Ok(Err(error)) => Err(trouble(&error)),
            Err(_) => Err(Trouble { code: None, text: format!("no answer within {PATIENCE:?}") }),
        };
        let visit = Visit { began, ended: Instant::now(), outcome };
        visits.lock().unwrap_or_else(PoisonError::into_inner).push(visit);
        tokio::time::sleep(PACE).await;
    }
}

async fn visit(target: SocketAddr) -> mysql_async::Result<String> {
    let mut conn = client::connect(target, APP, APP).await?;
    let node: Option<String> = conn.query_first("SELECT @@wsrep_node_name").await?;
    conn.disconnect().await?;
    Ok(node.unwrap_or_default())
}

fn trouble(error: &Error) -> Trouble {
    let code = match error {
        Error::Server(server) => Some(server.code),
        _ => None,
    };
    Trouble { code, text: error.to_string() }
}
