//! A client that writes to one node, past the proxies: the time in which it gets no answer is Galera's own.

use std::time::{Duration, Instant};

use anyhow::Result;
use mysql_async::prelude::Queryable;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::client;
use crate::galera::{APP, Node};

/// Between two rows.
const PACE: Duration = Duration::from_millis(10);
/// How long one row may take before it is tried on a new session.
const ROW: Duration = Duration::from_secs(10);

/// A client.
pub(super) struct Direct {
    stop: CancellationToken,
    task: JoinHandle<Duration>,
}

impl Direct {
    /// Starts to write to `node`.
    pub(super) async fn start(node: &Node) -> Result<Self> {
        node.execute("CREATE TABLE app.direct (id BIGINT AUTO_INCREMENT PRIMARY KEY)").await?;
        let stop = CancellationToken::new();
        let (address, stopped) = (node.address(), stop.clone());
        let task = tokio::spawn(async move {
            let (mut longest, mut last) = (Duration::ZERO, Instant::now());
            let mut session = None;
            while !stopped.is_cancelled() {
                let row = async {
                    let mut conn = match session.take() {
                        Some(conn) => conn,
                        None => client::connect(address, APP, APP).await?,
                    };
                    conn.query_drop("INSERT INTO app.direct VALUES ()").await?;
                    mysql_async::Result::Ok(conn)
                };
                if let Ok(Ok(conn)) = tokio::time::timeout(ROW, row).await {
                    session = Some(conn);
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                }
                tokio::time::sleep(PACE).await;
            }
            longest
        });
        Ok(Self { stop, task })
    }

    /// The longest time without an answer.
    pub(super) async fn stop(self) -> Result<Duration> {
        self.stop.cancel();
        Ok(self.task.await?)
    }
}
