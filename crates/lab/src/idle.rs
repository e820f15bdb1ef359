//! Owns real proxies and agents that have nobody to serve: a proxy without a primary, an agent without a server. They do
//! what every process does with ZooKeeper beside the election, for little.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::daemon;
use crate::lab::Lab;
use crate::process::Process;

/// How long ZooKeeper keeps the session of one that is killed or frozen.
pub(crate) const SESSION: Duration = Duration::from_secs(4);

/// One process.
pub(crate) struct Idle {
    /// What can be done to it.
    pub(crate) process: Process,
    /// Its admin endpoint, as others are told of it too.
    pub(crate) admin: SocketAddr,
    /// `proxy` or `agent`.
    pub(crate) kind: &'static str,
}

impl Idle {
    /// Number `index` of the lab's, of this kind, not started; with more arguments.
    ///
    /// # Errors
    /// Its directory cannot be made, or there is no program.
    pub(crate) fn new(lab: &Lab, kind: &'static str, index: usize, more: &[&str]) -> Result<Self> {
        let port = if kind == "proxy" { 9307 } else { 9308 };
        let admin = SocketAddr::from((lab.slot().other(index), port));
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
            "proxy" => arguments.extend([
                format!("--listen={}:3306", admin.ip()),
                format!("--replica-listen={}:3307", admin.ip()),
                "--threads=1".to_owned(),
            ]),
            _ => arguments.extend([
                "--server=127.0.0.1:1".to_owned(),
                format!("--advertise={}:3306", admin.ip()),
                format!("--state-directory={}", lab.slot().directory().join(&name).join("state").display()),
            ]),
        }
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        let program = daemon::program()?;
        let recipe = move || {
            let mut command = Command::new(&program);
            command.args(&arguments);
            Ok(command)
        };
        Ok(Self { process: lab.process(&name, recipe)?, admin, kind })
    }
}
