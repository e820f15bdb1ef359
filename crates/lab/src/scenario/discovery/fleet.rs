//! Real proxies and agents that have nothing to do but to be registered, which come and go.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::http;
use crate::idle::Idle;
use crate::lab::Lab;
use crate::wait::wait_until;

/// A process is up and registered within a second or two; anything else is a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

impl Idle {
    /// Starts it, and returns when it says that it is registered.
    pub(super) async fn start(&self) -> Result<()> {
        self.process.start().await?;
        self.registered().await
    }

    /// Waits until it says that it is registered.
    pub(super) async fn registered(&self) -> Result<()> {
        let what =
            format!("{} is registered (log: {})", self.process.name(), self.process.log_path().display());
        let registered = async || {
            let status: Value = http::get_json(self.admin, "/status").await.ok()?;
            status.pointer("/service/registered")?.as_str().map(drop)
        };
        wait_until(PATIENCE, &what, registered).await.map(drop)
    }
}

/// All of them, running or not.
pub(super) struct Fleet(pub(super) Vec<Idle>);

impl Fleet {
    /// So many proxies, and behind them so many agents, none started.
    pub(super) fn new(lab: &Lab, proxies: usize, agents: usize) -> Result<Self> {
        let kinds = std::iter::repeat_n("proxy", proxies).chain(std::iter::repeat_n("agent", agents));
        kinds
            .enumerate()
            .map(|(index, kind)| Idle::new(lab, kind, index, &[]))
            .collect::<Result<_>>()
            .map(Self)
    }

    /// The admin addresses of those that run.
    pub(super) fn running(&self) -> BTreeSet<String> {
        let running = self.0.iter().filter(|member| member.process.pid().is_some());
        running.map(|member| member.admin.to_string()).collect()
    }
}

/// The targets that the process at `admin` answers on `/sd`.
///
/// # Errors
/// It answers something else than 200, such as 503 while ZooKeeper does not answer.
pub(super) async fn answer(admin: SocketAddr) -> Result<BTreeSet<String>> {
    let groups: Vec<Value> = http::get_json(admin, "/sd").await?;
    let mut targets = BTreeSet::new();
    for group in &groups {
        for target in group["targets"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !targets.insert(target.to_owned()) {
                bail!("{target} is there twice: {groups:?}");
            }
        }
    }
    Ok(targets)
}
