//! Owns a look at the election in ZooKeeper itself, past agents and proxies: what is measured must not pass through what
//! is measured.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use zookeeper_client::Client;

use crate::candidates::ELECTION;

/// A session that looks, and registers nothing.
pub struct Observer {
    client: Client,
}

#[derive(Deserialize)]
struct Data {
    host: String,
    port: u16,
}

impl Observer {
    /// Opens a session with these servers.
    ///
    /// # Errors
    /// ZooKeeper does not answer.
    pub async fn connect(zookeeper: &str) -> Result<Self> {
        let connector = Client::connector().with_session_timeout(Duration::from_secs(10));
        let client = connector.connect(zookeeper).await.context("cannot open a session with ZooKeeper")?;
        Ok(Self { client })
    }

    /// The path of the candidate that stands for `upstream`, a `host:port`.
    ///
    /// # Errors
    /// There is none, or ZooKeeper does not answer.
    pub async fn candidate(&self, upstream: &str) -> Result<String> {
        for name in self.client.list_children(ELECTION).await? {
            let path = format!("{ELECTION}/{name}");
            let Ok((data, _)) = self.client.get_data(&path).await else { continue };
            let Ok(data) = serde_json::from_slice::<Data>(&data) else { continue };
            if format!("{}:{}", data.host, data.port) == upstream {
                return Ok(path);
            }
        }
        bail!("{upstream} is not registered in the election")
    }

    /// Leaves a watch on `path`, then does `what`, and says how long after it the znode was gone.
    ///
    /// # Errors
    /// It is not gone before the deadline, or ZooKeeper does not answer, or `what` fails.
    pub async fn gone_after(
        &self,
        path: &str,
        deadline: Duration,
        what: impl FnOnce() -> Result<()>,
    ) -> Result<Duration> {
        let (stat, watcher) = self.client.check_and_watch_stat(path).await?;
        stat.with_context(|| format!("{path} is gone already"))?;
        let start = Instant::now();
        what()?;
        tokio::time::timeout(deadline, watcher.changed())
            .await
            .map_err(|_| anyhow!("{path} is still there after {deadline:?}"))?;
        let took = start.elapsed();
        match self.client.check_stat(path).await? {
            None => Ok(took),
            Some(_) => bail!("{path} changed and is still there"),
        }
    }
}
