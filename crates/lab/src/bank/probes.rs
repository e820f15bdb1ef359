//! Owns clients that only measure: one that writes on each node without a proxy, which is Galera's own share of a
//! failover, and one that writes the same through each proxy.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;

use crate::client;
use crate::galera::APP;
use crate::lab::Lab;
use crate::wait::wait_until;

/// Between two writes of a probe. A write that stalls in a failover is answered the moment that the stall ends.
const PACE: Duration = Duration::from_millis(50);
/// A failover's stall begins at the fault; a write that was under way may be acknowledged a little later.
const BEGINS: Duration = Duration::from_millis(1_000);
/// How long all probes may take for their first writes.
const BEGUN: Duration = Duration::from_secs(30);

/// Probes at work, until they are dropped.
#[derive(Debug)]
pub(super) struct Probes {
    _tasks: JoinSet<()>,
    nodes: Vec<Marks>,
    proxies: Vec<Marks>,
}

/// When writes were acknowledged, and when the session of each was opened.
type Marks = Arc<Mutex<Vec<(Instant, Instant)>>>;

impl Probes {
    /// One for each node and one for each proxy. Returns when each has written.
    ///
    /// # Errors
    /// One has not.
    pub(super) async fn start(lab: &Lab) -> Result<Self> {
        let mut tasks = JoinSet::new();
        let mut number = 0;
        let mut start = |address: SocketAddr| {
            let marks = Marks::default();
            tasks.spawn(probe(number, address, Arc::clone(&marks)));
            number += 1;
            marks
        };
        let nodes: Vec<_> = lab.nodes().iter().map(|node| start(node.address())).collect();
        let proxies: Vec<_> = lab.proxies().iter().map(|proxy| start(proxy.address())).collect();
        let written = |marks: &Marks| marks.lock().unwrap_or_else(PoisonError::into_inner).len() > 1;
        let all = async || nodes.iter().chain(&proxies).all(written).then_some(());
        wait_until(BEGUN, "every probe has written", all).await?;
        Ok(Self { _tasks: tasks, nodes, proxies })
    }

    /// When a client of this node could write again: the end of its longest pause about the fault.
    pub(super) fn node_resumed(&self, node: usize, fault: Instant) -> Option<Instant> {
        resumed(&self.nodes.get(node)?.lock().unwrap_or_else(PoisonError::into_inner), fault)
    }

    /// When the first write was acknowledged through a proxy, on a session that was opened after the fault.
    pub(super) fn led(&self, fault: Instant) -> Option<Instant> {
        let first = |marks: &Marks| {
            let marks = marks.lock().unwrap_or_else(PoisonError::into_inner);
            marks.iter().find(|(_, opened)| *opened > fault).map(|(at, _)| *at)
        };
        self.proxies.iter().filter_map(first).min()
    }
}

async fn probe(number: usize, address: SocketAddr, marks: Marks) {
    let mut writes = 0_u64;
    loop {
        // Whether it can connect, and how long that takes, is for others to judge.
        if let Ok(mut conn) = client::connect(address, APP, APP).await {
            let opened = Instant::now();
            while write(&mut conn, number, writes).await {
                marks.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), opened));
                writes += 1;
                tokio::time::sleep(PACE).await;
            }
        } else {
            tokio::time::sleep(PACE).await;
        }
    }
}

async fn write(conn: &mut Conn, number: usize, n: u64) -> bool {
    conn.query_drop(format!("UPDATE app.probe SET n = {n} WHERE id = {number}")).await.is_ok()
}

fn resumed(marks: &[(Instant, Instant)], fault: Instant) -> Option<Instant> {
    let pauses = marks.windows(2).map(|pair| (pair[0].0, pair[1].0));
    let about = pauses.filter(|(from, to)| *to > fault && *from < fault + BEGINS);
    about.max_by_key(|(from, to)| *to - *from).map(|(_, to)| to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_resumes_at_the_end_of_the_longest_pause_that_began_about_the_fault() {
        let base = Instant::now();
        let at = |millis| (base + Duration::from_millis(millis), base);
        let marks = [0, 3_000, 3_050, 3_104, 5_000, 5_050, 9_900].map(at);
        assert_eq!(resumed(&marks, at(3_100).0), Some(at(5_000).0));
        assert_eq!(resumed(&marks, at(9_950).0), None);
    }
}
