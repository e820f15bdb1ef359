//! Owns a Galera node of a lab: its process, its addresses, and whether it is ready.
//!
//! Its settings are in `config`, where its data come from in `install`, how it restarts after a crash in `recovery`, how
//! its disk can be stopped in `disk`.

mod config;
mod disk;
mod install;
mod recovery;

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::client;
use crate::process::Process;
use crate::slot::Slot;
use crate::wait::wait_until;
use recovery::Start;

pub(crate) use config::GaleraOptions;
pub use config::Timeouts;
pub use disk::{Disk, StoppedDisk};
pub(crate) use install::install;

/// The port of clients, on each node's own address.
const PORT: u16 = 3306;

/// The account of the application in every cluster, and its password and schema.
pub const APP: &str = "app";
/// The account of capitana's agents in every cluster, and its password.
pub const MONITOR: &str = "capitana";

/// A node that rejoins may need a whole state transfer on a busy machine.
const READY: Duration = Duration::from_secs(90);

/// A Galera node: a mariadbd. What can be done to its process is [`Process`]'s.
#[derive(Debug)]
pub struct Node {
    process: Process,
    address: Ipv4Addr,
    socket: PathBuf,
    plain: bool,
    disk: Disk,
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// `wsrep_ready`: it accepts statements.
    pub ready: bool,
    /// `wsrep_cluster_size`: how many nodes it sees, itself included.
    pub size: usize,
    /// `wsrep_cluster_status`: `Primary`, `non-Primary` or `Disconnected`.
    pub cluster: String,
    /// `wsrep_local_state_comment`: for example `Synced`.
    pub state: String,
}

impl Node {
    /// Node `index` of `count`, without data and not started.
    fn new(slot: &Slot, index: usize, count: usize, options: &GaleraOptions) -> Result<Self> {
        let name = format!("node{}", index + 1);
        let directory = slot.directory().join(&name);
        let start = if options.plain { Start::Plain } else { Start::of_cluster(count) };
        let recipe =
            disk::recipe(directory.clone(), options.disk, recovery::recipe(directory.clone(), start));
        let process = Process::new(slot.directory(), &name, Arc::new(recipe))?;
        config::write(&directory, slot, index, count, options)?;
        let socket = config::socket(&directory);
        let (plain, disk) = (options.plain, options.disk);
        Ok(Self { process, address: slot.node(index), socket, plain, disk })
    }

    /// Its address for clients.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((self.address, PORT))
    }

    /// Its unix socket, where `root` needs no password.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// A session of `root`.
    ///
    /// # Errors
    /// It does not run or does not answer.
    pub async fn root(&self) -> mysql_async::Result<Conn> {
        client::connect_root(&self.socket).await
    }

    /// Runs one statement as `root`. In Galera, DDL and accounts reach all nodes.
    ///
    /// # Errors
    /// It does not run, or refuses the statement.
    pub async fn execute(&self, statement: &str) -> Result<()> {
        let mut conn = self.root().await.with_context(|| format!("cannot connect to {}", self.name()))?;
        conn.query_drop(statement).await.with_context(|| format!("{}: {statement}", self.name()))?;
        conn.disconnect().await?;
        Ok(())
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// It does not run or does not answer.
    pub async fn status(&self) -> mysql_async::Result<NodeStatus> {
        let mut conn = self.root().await?;
        // SHOW works on a node outside the primary component, SELECT does not.
        let rows: Vec<(String, String)> = conn.query("SHOW GLOBAL STATUS LIKE 'wsrep_%'").await?;
        conn.disconnect().await?;
        let value = |name: &str| rows.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
        Ok(NodeStatus {
            ready: value("wsrep_ready") == "ON",
            size: value("wsrep_cluster_size").parse().unwrap_or_default(),
            cluster: value("wsrep_cluster_status").to_owned(),
            state: value("wsrep_local_state_comment").to_owned(),
        })
    }

    /// Stops its disk, as the builder's [`Disk`] says that it can be, until what is returned is dropped.
    ///
    /// # Errors
    /// It was not built so, does not run, or the disk cannot be stopped.
    pub fn stop_disk(&self) -> Result<StoppedDisk> {
        disk::stop(self.disk, self.directory(), self.pid())
    }

    /// Waits until it accepts statements in a cluster of `size` nodes.
    ///
    /// # Errors
    /// It has ended, or is not ready after a minute and a half.
    pub async fn wait_ready(&self, size: usize) -> Result<()> {
        let what =
            format!("{} is ready in a cluster of {size} (log: {})", self.name(), self.log_path().display());
        let ended_or_ready = async || match self.check_runs() {
            Err(ended) => Some(Err(ended)),
            Ok(()) => {
                let status = self.status().await.ok()?;
                if self.plain {
                    return Some(Ok(()));
                }
                (status.ready && status.state == "Synced" && status.size == size).then_some(Ok(()))
            }
        };
        wait_until(READY, &what, ended_or_ready).await?.0
    }
}

impl Deref for Node {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}
