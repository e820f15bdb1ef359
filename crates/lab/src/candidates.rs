//! Owns candidates of an election that no agent stands behind: a ZooKeeper session that registers whatever a scenario
//! wants the proxies to see.

use std::time::Duration;

use anyhow::{Context, Result};
use zookeeper_client::{Acls, Client, CreateMode};

/// The election's path unless a setting says otherwise.
pub const ELECTION: &str = "/mariadb/primary";

/// A session whose candidates go when it ends.
pub struct Candidates {
    client: Client,
}

impl Candidates {
    /// Opens a session with these servers and makes the election's path.
    ///
    /// # Errors
    /// ZooKeeper does not answer.
    pub async fn connect(zookeeper: &str) -> Result<Self> {
        let connector = Client::connector().with_session_timeout(Duration::from_secs(4));
        let client = connector.connect(zookeeper).await.context("cannot open a session with ZooKeeper")?;
        let path = CreateMode::Persistent.with_acls(Acls::anyone_all());
        client.mkdir(ELECTION, &path).await.context("cannot make the election's path")?;
        Ok(Self { client })
    }

    /// Registers a candidate with this data. Returns its whole path and its epoch.
    ///
    /// # Errors
    /// ZooKeeper refuses or does not answer.
    pub async fn register(&self, data: &[u8]) -> Result<(String, i64)> {
        let options = CreateMode::EphemeralSequential.with_acls(Acls::anyone_all());
        let prefix = format!("{ELECTION}/node-");
        let (stat, sequence) =
            self.client.create(&prefix, data, &options).await.context("cannot register a candidate")?;
        Ok((format!("{prefix}{sequence}"), stat.czxid))
    }

    /// Withdraws a candidate.
    ///
    /// # Errors
    /// ZooKeeper refuses or does not answer.
    pub async fn withdraw(&self, path: &str) -> Result<()> {
        self.client.delete(path, None).await.with_context(|| format!("cannot delete {path}"))
    }
}
