//! Owns capitana's own processes in a lab: where the program is, how agents and proxies are started, what they say.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::ops::Deref;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::galera::{self, Node};
use crate::http;
use crate::process::{Process, Recipe};
use crate::slot::Slot;
use crate::status::{AgentStatus, ProxyStatus};
use crate::wait::wait_until;

/// The port of clients on each proxy's own address.
const PROXY_PORT: u16 = 3306;
/// The port of clients that only read, on the same address.
const REPLICA_PORT: u16 = 3307;
/// The port of a proxy's admin endpoint, on its own address.
const PROXY_ADMIN: u16 = 9307;
/// The port of an agent's admin endpoint, on its node's address.
const AGENT_ADMIN: u16 = 9308;

/// Both daemons are up within milliseconds; then they need ZooKeeper and, the agents, two good checks.
const READY: Duration = Duration::from_secs(30);

/// After how long without a word a service manager takes an agent of a lab for frozen.
pub const WATCHDOG: Duration = Duration::from_secs(3);

/// `capitana agent` beside a node. What can be done to its process is [`Process`]'s.
#[derive(Debug)]
pub struct Agent {
    process: Process,
    admin: SocketAddr,
    notify: PathBuf,
}

/// `capitana proxy`. What can be done to its process is [`Process`]'s.
#[derive(Debug)]
pub struct Proxy {
    process: Process,
    address: SocketAddr,
    replica_address: SocketAddr,
    admin: SocketAddr,
}

/// What every daemon of a lab is started with.
#[derive(Debug, Clone)]
pub(crate) struct Daemons {
    pub(crate) program: PathBuf,
    /// The ensemble, without a chroot.
    pub(crate) zookeeper: String,
    pub(crate) session_timeout: Duration,
    /// Whether proxies have the monitoring account, for barrier and drain.
    pub(crate) monitor: bool,
    /// More arguments for agents.
    pub(crate) agent: Vec<String>,
    /// More arguments for proxies.
    pub(crate) proxy: Vec<String>,
}

impl Agent {
    /// The agent of node `index`, not started.
    pub(crate) fn new(slot: &Slot, index: usize, node: &Node, daemons: &Daemons) -> Result<Self> {
        let admin = SocketAddr::from((slot.node(index), AGENT_ADMIN));
        let name = format!("agent{}", index + 1);
        let password = monitor_password(slot)?;
        let state = slot.directory().join(&name).join("state");
        let (server, advertised) = (node.address().to_string(), admin.to_string());
        let mut arguments = daemons.common("agent", admin);
        arguments.extend(["--server", &server, "--advertise", &server].map(OsString::from));
        arguments.extend(["--user", galera::MONITOR, "--node-name", node.name()].map(OsString::from));
        arguments.extend([OsString::from("--password-file"), password.into()]);
        arguments.extend(["--admin-advertise", &advertised].map(OsString::from));
        arguments.extend([OsString::from("--state-directory"), state.into()]);
        arguments.extend(daemons.agent.iter().map(OsString::from));
        let notify = slot.directory().join(&name).join("notify");
        let recipe = managed(recipe(daemons.program.clone(), arguments), notify.clone());
        let process = Process::new(slot.directory(), &name, recipe)?;
        Ok(Self { process, admin, notify })
    }

    /// Where it serves `/metrics`, `/healthz`, `/readyz` and `/status`.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// What it says of its server and of itself.
    ///
    /// # Errors
    /// It does not answer within a second.
    pub async fn status(&self) -> Result<AgentStatus> {
        http::get_json(self.admin, "/status").await
    }

    /// Where it tells a service manager how it is: whoever plays one binds this socket, and hears of it every half [`WATCHDOG`].
    pub fn notify(&self) -> &Path {
        &self.notify
    }

    /// Waits until it answers.
    ///
    /// # Errors
    /// It has ended, or does not answer after half a minute.
    pub async fn wait_ready(&self) -> Result<()> {
        wait_answer(&self.process, self.admin, "/healthz").await
    }
}

impl Proxy {
    /// Proxy `index`, not started.
    pub(crate) fn new(slot: &Slot, index: usize, daemons: &Daemons) -> Result<Self> {
        let address = SocketAddr::from((slot.proxy(index), PROXY_PORT));
        let replica_address = SocketAddr::from((slot.proxy(index), REPLICA_PORT));
        let admin = SocketAddr::from((slot.proxy(index), PROXY_ADMIN));
        let mut arguments = daemons.common("proxy", admin);
        let name = format!("proxy{}", index + 1);
        arguments.extend([OsString::from("--listen"), address.to_string().into()]);
        arguments.extend(["--node-name", &name, "--admin-advertise", &admin.to_string()].map(OsString::from));
        arguments.extend([OsString::from("--replica-listen"), replica_address.to_string().into()]);
        if daemons.monitor {
            arguments.extend(["--monitor-user", galera::MONITOR].map(OsString::from));
            arguments.extend([OsString::from("--monitor-password-file"), monitor_password(slot)?.into()]);
        }
        arguments.extend(daemons.proxy.iter().map(OsString::from));
        let recipe = recipe(daemons.program.clone(), arguments);
        let process = Process::new(slot.directory(), &name, recipe)?;
        Ok(Self { process, address, replica_address, admin })
    }

    /// Its address for clients.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address for clients that only read.
    pub fn replica_address(&self) -> SocketAddr {
        self.replica_address
    }

    /// Where it serves `/metrics`, `/healthz`, `/readyz` and `/status`.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// What it says of the election and its route.
    ///
    /// # Errors
    /// It does not answer within a second.
    pub async fn status(&self) -> Result<ProxyStatus> {
        http::get_json(self.admin, "/status").await
    }

    /// Waits until it is ready: it has a primary to lead clients to.
    ///
    /// # Errors
    /// It has ended, or is not ready after half a minute.
    pub async fn wait_ready(&self) -> Result<()> {
        wait_answer(&self.process, self.admin, "/readyz").await
    }
}

impl Daemons {
    fn common(&self, command: &str, admin: SocketAddr) -> Vec<OsString> {
        let timeout = format!("{}ms", self.session_timeout.as_millis());
        let mut arguments = vec![command.into(), "--zookeeper".into(), self.zookeeper.clone().into()];
        arguments.extend([OsString::from("--zookeeper-session-timeout"), timeout.into()]);
        arguments.extend([OsString::from("--admin-listen"), admin.to_string().into()]);
        arguments
    }
}

impl Deref for Agent {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Deref for Proxy {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

/// The program under test: `CAPITANA_BIN`, or the one that was built beside this one.
///
/// # Errors
/// There is none.
pub fn program() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CAPITANA_BIN").map(PathBuf::from) {
        return if path.is_file() { Ok(path) } else { bail!("CAPITANA_BIN={} is no file", path.display()) };
    }
    let here = std::env::current_exe().context("cannot tell where this program is")?;
    // Tests are in target/PROFILE/deps, programs one directory up.
    let found = here.ancestors().skip(1).take(2).map(|dir| dir.join("capitana")).find(|path| path.is_file());
    found.with_context(|| {
        let beside = here.parent().unwrap_or(Path::new(".")).display();
        format!("no `capitana` beside {beside}: run `cargo build --bins`, or set CAPITANA_BIN")
    })
}

/// The file with the monitoring account's password. Nobody else can read it: the daemons warn of others.
pub(crate) fn monitor_password(slot: &Slot) -> Result<PathBuf> {
    let path = slot.directory().join("monitor-password");
    let mut options = OpenOptions::new();
    let write = |mut file: File| file.write_all(galera::MONITOR.as_bytes());
    let opened = options.create(true).write(true).truncate(true).mode(0o600).open(&path);
    opened.and_then(write).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn recipe(program: PathBuf, arguments: Vec<OsString>) -> Recipe {
    Arc::new(move || {
        let mut command = Command::new(&program);
        command.args(&arguments);
        Ok(command)
    })
}

/// The same, started as systemd starts a unit with `Type=notify` and `WatchdogSec`.
fn managed(recipe: Recipe, notify: PathBuf) -> Recipe {
    Arc::new(move || {
        let mut command = recipe()?;
        command.env("NOTIFY_SOCKET", &notify).env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        Ok(command)
    })
}

async fn wait_answer(process: &Process, admin: SocketAddr, path: &str) -> Result<()> {
    let what =
        format!("{} answers http://{admin}{path} (log: {})", process.name(), process.log_path().display());
    let ended_or_ready = async || match process.check_runs() {
        Err(ended) => Some(Err(ended)),
        Ok(()) => http::get(admin, path).await.ok().filter(|(status, _)| status.is_success()).map(|_| Ok(())),
    };
    wait_until(READY, &what, ended_or_ready).await?.0
}
