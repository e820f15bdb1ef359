//! Real proxies and agents that have nothing to do but to be registered, which come and go.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::daemon;
use crate::http;
use crate::lab::Lab;
use crate::process::Process;
use crate::wait::wait_until;

/// How long ZooKeeper keeps the session of one that is killed or frozen.
pub(super) const SESSION: Duration = Duration::from_secs(4);
/// A process is up and registered within a second or two; anything else is a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// One process.
pub(super) struct Member {
    pub(super) process: Process,
    pub(super) admin: SocketAddr,
}

impl Member {
    /// Number `index` of this kind, not started.
    fn new(lab: &Lab, kind: &str, index: usize) -> Result<Self> {
        let admin = SocketAddr::from((lab.slot().other(index), 9307));
        let name = format!("{kind}-{}", index + 1);
        let mut arguments = vec![
            kind.to_owned(),
            format!("--zookeeper={}", lab.zookeeper()),
            format!("--zookeeper-session-timeout={}ms", SESSION.as_millis()),
            format!("--node-name={name}"),
            format!("--admin-listen={admin}"),
            format!("--admin-advertise={admin}"),
        ];
        match kind {
            "proxy" => arguments.extend([format!("--listen={}:3306", admin.ip()), "--threads=1".to_owned()]),
            _ => arguments.extend([
                "--server=127.0.0.1:1".to_owned(),
                format!("--advertise={}:3306", admin.ip()),
                format!("--state-directory={}", lab.slot().directory().join(&name).join("state").display()),
            ]),
        }
        let program = daemon::program()?;
        let recipe = move || {
            let mut command = Command::new(&program);
            command.args(&arguments);
            Ok(command)
        };
        Ok(Self { process: lab.process(&name, recipe)?, admin })
    }

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
pub(super) struct Fleet(pub(super) Vec<Member>);

impl Fleet {
    /// This many proxies, and as many agents behind them, none started.
    pub(super) fn new(lab: &Lab, proxies: usize, agents: usize) -> Result<Self> {
        let kinds = std::iter::repeat_n("proxy", proxies).chain(std::iter::repeat_n("agent", agents));
        kinds.enumerate().map(|(index, kind)| Member::new(lab, kind, index)).collect::<Result<_>>().map(Self)
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
