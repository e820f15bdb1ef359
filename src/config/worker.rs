//! What the settings of the worker come to. What is shared with the other daemons is in `common`.

use std::net::SocketAddr;
use std::time::Duration;

use capitana_core::worker::{Restart, Terms};

use super::CommonConfig;
use super::keys::Kind;
use super::load::Daemon;
use super::settings::WorkerSettings;
use super::source::Source;
use crate::error::{Error, Origin};

/// The znode below which every worker's line is.
const LINES: &str = "/workers";

/// Settings of `capitana worker`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerConfig {
    /// What is shared with the other daemons. Its `admin_listen` counts only if there is one below.
    pub common: CommonConfig,
    /// The worker's name, the same on every host.
    pub name: String,
    /// How many run at once.
    pub count: usize,
    /// Whether this one runs alone.
    pub exclusive: bool,
    /// When the command is run again.
    pub restart: Restart,
    /// So many failures in a row are another host's turn. None: however many.
    pub give_up_after: Option<u32>,
    /// How long the command may take to end.
    pub grace: Duration,
    /// Whether the place is a lock.
    pub is_lock: bool,
    /// Where the admin endpoint is. None: there is none, as several workers may run on one host.
    pub admin_listen: Option<SocketAddr>,
    place: String,
}

/// When a command is run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartChoice {
    /// However it ended.
    Always,
    /// Unless it succeeded.
    OnFailure,
    /// It is not: the worker ends with its status.
    Never,
}

impl WorkerConfig {
    /// The znode whose children stand in line, or the lock.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// How many may run.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms { count: self.count, exclusive: self.exclusive }
    }
}

impl Daemon for WorkerSettings {
    type Config = WorkerConfig;
    const KIND: Kind = Kind::Worker;

    fn common(config: &WorkerConfig) -> &CommonConfig {
        &config.common
    }

    fn resolve(
        &mut self,
        common: CommonConfig,
        source: &Source<'_>,
        _: &mut Vec<String>,
    ) -> Result<WorkerConfig, Error> {
        if common.zookeeper.is_none() {
            let problem = "missing: name ZooKeeper's servers (--zookeeper zk1:2181,zk2:2181)";
            return Err(source.error("zookeeper", problem));
        }
        let name = self.named(source)?;
        self.fits_together(source)?;
        let line = format!("{LINES}/{name}");
        Ok(WorkerConfig {
            place: self.lock.as_ref().map_or(line, |lock| lock.value.0.clone()),
            name,
            count: self.count.value.get(),
            exclusive: self.exclusive,
            restart: match self.restart {
                RestartChoice::Always => Restart::Always,
                RestartChoice::OnFailure => Restart::OnFailure,
                RestartChoice::Never => Restart::Never,
            },
            give_up_after: self.give_up_after.as_ref().map(|text| text.value.get()),
            grace: self.grace.value,
            is_lock: self.lock.is_some(),
            admin_listen: match source.origin("admin_listen") {
                Origin::Unset(_) => None,
                _ => Some(common.admin_listen),
            },
            common,
        })
    }
}

impl WorkerSettings {
    /// The name is one part of a znode's path.
    fn named(&self, source: &Source<'_>) -> Result<String, Error> {
        let missing = "missing: give the worker a name, the same on every host (--name email-sender)";
        let name = &self.name.as_ref().ok_or_else(|| source.error("name", missing))?.value.0;
        if name.contains(['/', '\0']) || matches!(name.as_str(), "." | ".." | "zookeeper") {
            let problem = format!("\"{name}\" cannot be the name of a znode: leave out slashes");
            return Err(source.error("name", problem));
        }
        Ok(name.clone())
    }

    fn fits_together(&self, source: &Source<'_>) -> Result<(), Error> {
        let several = self.count.value.get() > 1;
        if several && self.lock.is_some() {
            return Err(source.error("count", "a lock has one holder: leave one of count and lock out"));
        }
        if several && self.exclusive {
            return Err(source.error("count", "an exclusive worker runs alone: leave one of the two out"));
        }
        if self.exclusive && self.lock.is_some() {
            return Err(source.error("exclusive", "a lock has one holder anyway: leave exclusive out"));
        }
        Ok(())
    }
}
