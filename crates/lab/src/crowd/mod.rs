//! Owns agents that check one and the same server, each under a name of its own: many candidates for little, where the
//! election is what counts.

mod register;

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::daemon;
use crate::galera;
use crate::http;
use crate::lab::Lab;
use crate::process::Process;
use crate::status::AgentStatus;
use crate::wait::wait_until;
pub(crate) use register::{Entry, Register, Watcher};

/// The port of each one's admin endpoint, on its own address.
const ADMIN: u16 = 9308;
/// An agent is up within milliseconds; then it needs ZooKeeper and two good checks.
const READY: Duration = Duration::from_secs(60);

/// One of them.
#[derive(Debug)]
pub struct Standing {
    process: Process,
    admin: SocketAddr,
    node: String,
}

impl Standing {
    /// Number `index`, not started, whose ZooKeeper is at `zookeeper`, with more arguments.
    ///
    /// # Errors
    /// A file cannot be written, or there is no server to check.
    pub fn new(lab: &Lab, index: usize, zookeeper: &str, more: &[String]) -> Result<Self> {
        let admin = SocketAddr::from((lab.slot().other(10 + index), ADMIN));
        let node = format!("db{}", index + 1);
        let name = format!("standing{}", index + 1);
        let state = lab.slot().directory().join(&name).join("state");
        let server = lab.nodes().first().context("no server to check")?.address().to_string();
        let arguments = [
            ("--zookeeper", zookeeper.to_owned()),
            ("--zookeeper-session-timeout", "4s".to_owned()),
            ("--server", server),
            ("--advertise", format!("{node}.lab:3306")),
            ("--node-name", node.clone()),
            ("--user", galera::MONITOR.to_owned()),
            ("--password-file", daemon::monitor_password(lab.slot())?.display().to_string()),
            ("--admin-listen", admin.to_string()),
            ("--state-directory", state.display().to_string()),
            ("--poll-interval", "500ms".to_owned()),
            ("--canary", "false".to_owned()),
        ]
        .map(|(flag, value)| format!("{flag}={value}"));
        let arguments = [&arguments, more].concat();
        let program = daemon::program()?;
        let recipe = move || {
            let mut command = Command::new(&program);
            command.arg("agent").args(&arguments);
            Ok(command)
        };
        Ok(Self { process: lab.process(&name, recipe)?, admin, node })
    }

    /// What can be done to its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its node's name, which is in its znode.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The path of the znode that it says it has.
    pub async fn registered(&self) -> Option<String> {
        let status: AgentStatus = http::get_json(self.admin, "/status").await.ok()?;
        status.registered.map(|registered| registered.path)
    }

    /// Waits until it says that it has a znode other than `before`.
    ///
    /// # Errors
    /// It has none after a minute.
    pub async fn wait_registered(&self, before: Option<&str>) -> Result<String> {
        let what = format!("{} is registered (log: {})", self.node, self.process.log_path().display());
        let registered = async || self.registered().await.filter(|path| Some(path.as_str()) != before);
        Ok(wait_until(READY, &what, registered).await?.0)
    }
}
