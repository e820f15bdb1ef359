//! Owns what the proxies and the readers are looked at for while members come and go: whether anybody who only reads is
//! led to the primary without need, and how evenly the sessions are spread.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use tokio::task::JoinSet;

use crate::daemon::Proxy;
use crate::http;
use crate::lab::Lab;
use crate::load::Readers;
use crate::status::{ProxyStatus, Session};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Looks at every proxy until it is dropped.
pub(super) struct Watch {
    _tasks: JoinSet<()>,
    strays: Arc<Mutex<Vec<String>>>,
}

impl Watch {
    pub(super) fn start(lab: &Lab) -> Self {
        let (mut tasks, strays) = (JoinSet::new(), Arc::new(Mutex::new(Vec::new())));
        for proxy in lab.proxies() {
            tasks.spawn(look(proxy.admin(), Arc::clone(&strays)));
        }
        Self { _tasks: tasks, strays }
    }

    /// Sessions that came for a replica, and were led to the primary while it did not stand in for one.
    pub(super) fn strays(&self) -> Vec<String> {
        self.strays.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn look(admin: std::net::SocketAddr, strays: Arc<Mutex<Vec<String>>>) {
    // Since when the proxy has said without a break that this is the primary, and that it does not stand in.
    let mut plain: Option<(String, u64)> = None;
    loop {
        let began = unix_ms();
        let status = http::get_json::<ProxyStatus>(admin, "/status").await;
        let sessions = http::get_json::<Vec<Session>>(admin, "/sessions").await;
        if let (Ok(status), Ok(sessions)) = (status, sessions) {
            let primary = status.election.primary.filter(|_| !status.replicas.by_fallback);
            plain = match (primary, plain) {
                (Some(primary), Some((same, since))) if primary.upstream == same => Some((same, since)),
                // A session that was on its way in this moment may have been led by what held before.
                (Some(primary), _) => Some((primary.upstream, began + 1000)),
                (None, _) => None,
            };
            if let Some((primary, since)) = &plain {
                let strayed = |session: &&Session| {
                    session.role == "replica"
                        && session.upstream.as_ref() == Some(primary)
                        && session.since_ms > *since
                };
                let found = sessions.iter().filter(strayed).map(|session| format!("{session:?}"));
                strays.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// By how much of the mean the node with the most sessions, or the fewest, differs from it, in percent, and what each had
/// on average. Nodes without a session do not count: `servers` is how many there should be.
pub(super) async fn imbalance(
    readers: &Readers,
    servers: usize,
    lasting: Duration,
) -> (f64, BTreeMap<String, f64>) {
    let (mut sums, mut looks, start) = (BTreeMap::<String, usize>::new(), 0_usize, Instant::now());
    while start.elapsed() < lasting {
        for (node, sessions) in readers.places() {
            *sums.entry(node).or_default() += sessions;
        }
        looks += 1;
        tokio::time::sleep(LOOK).await;
    }
    let averages: BTreeMap<_, _> =
        sums.into_iter().map(|(node, sum)| (node, sum as f64 / looks as f64)).collect();
    let mean = averages.values().sum::<f64>() / servers as f64;
    let worst = averages.values().map(|average| (average - mean).abs()).fold(0.0, f64::max);
    let missing = averages.len() < servers;
    (if missing { 100.0 } else { worst / mean * 100.0 }, averages)
}

/// Since when each replica serves, by its znode, as every proxy sees it.
pub(super) async fn registrations(proxies: &[Proxy]) -> Result<Vec<i64>> {
    let mut epochs = Vec::new();
    for proxy in proxies {
        epochs.extend(proxy.status().await?.replicas.members.iter().map(|member| member.epoch));
    }
    Ok(epochs)
}

/// Whether every proxy leads those who only read to exactly these nodes, and has drained the rest.
pub(super) async fn led_to(proxies: &[Proxy], upstreams: &[String]) -> Option<()> {
    for proxy in proxies {
        let status = proxy.status().await.ok()?;
        let mut members: Vec<_> = status.replicas.members.into_iter().map(|member| member.upstream).collect();
        members.sort();
        if members != upstreams || status.sessions.replica.draining > 0 {
            return None;
        }
    }
    Some(())
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64)
}
