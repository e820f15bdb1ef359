//! Owns ZooKeeper's own view of the election: who is on the list and in which order, and a watcher that looks at every
//! change of it for a node that is on it twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinSet;
use zookeeper_client::{Acls, Client, CreateMode, Error};

use crate::candidates::ELECTION;

/// A candidate as ZooKeeper has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The znode's name.
    pub name: String,
    /// Its creation zxid.
    pub czxid: i64,
    /// The node's name in its data.
    pub node: String,
}

/// A session that looks at the election, with the server itself and not through anything that loses replies.
#[derive(Debug, Clone)]
pub struct Register(Client);

impl Register {
    /// Opens the session.
    ///
    /// # Errors
    /// ZooKeeper does not answer.
    pub async fn open(zookeeper: &str) -> Result<Self> {
        let connector = Client::connector().with_session_timeout(Duration::from_secs(20));
        let client = connector.connect(zookeeper).await.context("cannot open a session with ZooKeeper")?;
        let path = CreateMode::Persistent.with_acls(Acls::anyone_all());
        client.mkdir(ELECTION, &path).await.context("cannot make the election's path")?;
        Ok(Self(client))
    }

    /// Who is on the list, in order of creation.
    ///
    /// # Errors
    /// ZooKeeper does not answer.
    pub async fn entries(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for name in self.0.list_children(ELECTION).await? {
            entries.extend(self.entry(name).await?);
        }
        entries.sort_by_key(|entry| entry.czxid);
        Ok(entries)
    }

    /// None: it is gone.
    async fn entry(&self, name: String) -> Result<Option<Entry>> {
        let (data, stat) = match self.0.get_data(&format!("{ELECTION}/{name}")).await {
            Ok(read) => read,
            Err(Error::NoNode) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let data: serde_json::Value = serde_json::from_slice(&data).context("not an agent's data")?;
        let node = data["node"].as_str().unwrap_or_default().to_owned();
        Ok(Some(Entry { name, czxid: stat.czxid, node }))
    }

    /// Deletes a znode that somebody else has created.
    ///
    /// # Errors
    /// ZooKeeper does not answer.
    pub async fn delete(&self, path: &str) -> Result<()> {
        match self.0.delete(path, None).await {
            Ok(()) | Err(Error::NoNode) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What a watcher has seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Lists that were looked at.
    pub lists: usize,
    /// The largest number of znodes of one node on one list.
    pub most: usize,
    /// Lists on which a node was twice, in words.
    pub doubles: Vec<String>,
    /// The oldest candidate of each list, where it was another than on the one before.
    pub primaries: Vec<Entry>,
}

/// Looks at each list of candidates that ZooKeeper tells of, from its start to its end. A list is of one moment: what is
/// on it was there together.
pub struct Watcher {
    seen: Arc<Mutex<Seen>>,
    task: JoinSet<Result<()>>,
}

impl Watcher {
    /// Begins to watch.
    pub fn start(register: Register) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut task = JoinSet::new();
        task.spawn(watch(register, Arc::clone(&seen)));
        Self { seen, task }
    }

    /// What it has seen so far.
    pub fn seen(&self) -> Seen {
        held(&self.seen).clone()
    }

    /// Ends watching.
    ///
    /// # Errors
    /// It had ended by itself: ZooKeeper did not answer.
    pub async fn stop(mut self) -> Result<Seen> {
        if let Some(ended) = self.task.try_join_next() {
            ended??;
        }
        Ok(self.seen())
    }
}

fn held(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn watch(register: Register, seen: Arc<Mutex<Seen>>) -> Result<()> {
    let mut known: BTreeMap<String, Entry> = BTreeMap::new();
    loop {
        let (names, watcher) = register.0.list_and_watch_children(ELECTION).await?;
        known.retain(|name, _| names.contains(name));
        for name in &names {
            // The data never changes. One that is gone again before it is read is not known, and was alone or not.
            if !known.contains_key(name)
                && let Some(entry) = register.entry(name.clone()).await?
            {
                known.insert(name.clone(), entry);
            }
        }
        judge(&known, &mut held(&seen));
        watcher.changed().await;
    }
}

fn judge(list: &BTreeMap<String, Entry>, seen: &mut Seen) {
    seen.lists += 1;
    let nodes: BTreeSet<_> = list.values().map(|entry| entry.node.as_str()).collect();
    for node in nodes {
        let names: Vec<_> = list.values().filter(|e| e.node == node).map(|e| e.name.as_str()).collect();
        seen.most = seen.most.max(names.len());
        if names.len() > 1 {
            seen.doubles.push(format!("{node}: {}", names.join(" and ")));
        }
    }
    if let Some(first) = list.values().min_by_key(|entry| entry.czxid)
        && seen.primaries.last() != Some(first)
    {
        seen.primaries.push(first.clone());
    }
}
