//! Owns clients that come anew, all the time: how long they wait for their session, which is how long they are held.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;

use crate::client;
use crate::galera::APP;
use crate::lab::Lab;

/// Between two arrivals at each proxy.
const PACE: Duration = Duration::from_millis(50);

/// Clients on their way, until they are dropped.
#[derive(Debug)]
pub(crate) struct Arrivals {
    tasks: JoinSet<()>,
    served: Arc<Mutex<Vec<Served>>>,
}

/// A client that was served.
#[derive(Debug, Clone)]
struct Served {
    at: Instant,
    took: Duration,
    error: Option<String>,
}

impl Arrivals {
    /// Lets clients come to every proxy.
    pub(crate) fn start(lab: &Lab) -> Self {
        let served = Arc::new(Mutex::default());
        let mut tasks = JoinSet::new();
        for proxy in lab.proxies() {
            tasks.spawn(come(proxy.address(), Arc::clone(&served)));
        }
        Self { tasks, served }
    }

    /// The longest that a client waited that came after `start`, and the errors of those that were not served.
    pub(crate) fn since(&self, start: Instant) -> (Duration, Vec<String>) {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let after = || served.iter().filter(|served| served.at >= start);
        let longest = after().map(|served| served.took).max().unwrap_or_default();
        (longest, after().filter_map(|served| served.error.clone()).collect())
    }

    /// Ends the stream of clients.
    pub(crate) fn stop(mut self) {
        self.tasks.abort_all();
    }
}

async fn come(proxy: SocketAddr, served: Arc<Mutex<Vec<Served>>>) {
    let mut clients = JoinSet::new();
    let mut tick = tokio::time::interval(PACE);
    loop {
        tick.tick().await;
        while clients.try_join_next().is_some() {}
        let served = Arc::clone(&served);
        clients.spawn(async move {
            let at = Instant::now();
            let (took, error) = visit(proxy, at).await;
            served.lock().unwrap_or_else(PoisonError::into_inner).push(Served { at, took, error });
        });
    }
}

/// Connects, and goes. A session that is opened on the old primary at the very end of its time may be ended before its
/// first statement: that is no error of connecting.
async fn visit(proxy: SocketAddr, at: Instant) -> (Duration, Option<String>) {
    match client::connect(proxy, APP, APP).await {
        Ok(mut conn) => {
            let took = at.elapsed();
            let _ = conn.query_drop("DO 1").await;
            let _ = conn.disconnect().await;
            (took, None)
        }
        Err(error) => (at.elapsed(), Some(error.to_string())),
    }
}
