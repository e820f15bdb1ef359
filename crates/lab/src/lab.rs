//! Owns a running lab: its parts, and its end.
//!
//! Does not own bringing it up (`builder`) nor what the parts are (`galera`, `zookeeper`, `daemon`).

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::builder::Builder;
use crate::certs::Certificates;
use crate::daemon::{Agent, Proxy};
use crate::door::Door;
use crate::galera::Node;
use crate::gate::Place;
use crate::keeper::Keeper;
use crate::process::Process;
use crate::progress::Progress;
use crate::slot::{Base, Slot};
use crate::status::{ProxyStatus, Route};
use crate::wait::wait_until;
use crate::zookeeper::ZooKeeper;

/// A cluster, an ensemble, agents and proxies on this machine, on addresses of their own. Everything ends and the
/// directory goes when it is shut down, dropped, or when this process dies in whatever way.
#[derive(Debug)]
pub struct Lab {
    progress: Progress,
    parts: Parts,
    zookeeper_certificates: Option<Certificates>,
    keeper: Option<Keeper>,
    slot: Slot,
    _place: Option<Place>,
}

/// What a lab consists of.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) nodes: Vec<Node>,
    pub(crate) zookeepers: Vec<ZooKeeper>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) doors: Vec<Door>,
}

impl Lab {
    /// A lab with nothing in it yet.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The Galera nodes, in order of their addresses.
    pub fn nodes(&self) -> &[Node] {
        &self.parts.nodes
    }

    /// The ZooKeeper servers.
    pub fn zookeepers(&self) -> &[ZooKeeper] {
        &self.parts.zookeepers
    }

    /// The agents: `agents()[i]` watches `nodes()[i]`.
    pub fn agents(&self) -> &[Agent] {
        &self.parts.agents
    }

    /// The doors: `doors()[i]` is between `agents()[i]` and ZooKeeper. None where they were not asked for.
    pub fn doors(&self) -> &[Door] {
        &self.parts.doors
    }

    /// The proxies.
    pub fn proxies(&self) -> &[Proxy] {
        &self.parts.proxies
    }

    /// ZooKeeper's connect string.
    pub fn zookeeper(&self) -> String {
        let servers: Vec<_> = self.parts.zookeepers.iter().map(ZooKeeper::connect_string).collect();
        servers.join(",")
    }

    /// ZooKeeper's certificates, where it speaks TLS.
    pub fn zookeeper_certificates(&self) -> Option<&Certificates> {
        self.zookeeper_certificates.as_ref()
    }

    /// Which node has the address `upstream`, a `host:port`.
    pub fn node_at(&self, upstream: &str) -> Option<usize> {
        self.parts.nodes.iter().position(|node| node.address().to_string() == upstream)
    }

    /// Waits until all proxies lead to the same primary and epoch, one after `epoch`, and returns that and how long it took.
    ///
    /// # Errors
    /// They do not agree before the deadline.
    pub async fn agreed_route(&self, epoch: i64, deadline: Duration) -> Result<(Route, Duration)> {
        self.agreed(epoch, deadline, |status| status.route).await
    }

    /// The same, but they only have to name it: its barrier may still run.
    ///
    /// # Errors
    /// They do not agree before the deadline.
    pub async fn agreed_primary(&self, epoch: i64, deadline: Duration) -> Result<(Route, Duration)> {
        self.agreed(epoch, deadline, |status| status.election.primary).await
    }

    async fn agreed(
        &self,
        epoch: i64,
        deadline: Duration,
        named: impl Fn(ProxyStatus) -> Option<Route>,
    ) -> Result<(Route, Duration)> {
        let agreed = async || {
            let mut routes = Vec::new();
            for proxy in self.proxies() {
                routes.push(named(proxy.status().await.ok()?)?);
            }
            let first = routes.first().filter(|first| first.epoch > epoch)?.clone();
            routes.iter().all(|route| *route == first).then_some(first)
        };
        wait_until(deadline, &format!("all proxies name one primary with an epoch after {epoch}"), agreed)
            .await
    }

    /// Its addresses and its directory.
    pub fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Where it says what it does.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// One more process, which ends with the lab, not started: for what only one scenario has. `recipe` is called at
    /// each start; its directory is under the lab's, and is there from now on.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn process(
        &self,
        name: &str,
        recipe: impl Fn() -> Result<Command> + Send + Sync + 'static,
    ) -> Result<Process> {
        Process::new(self.slot.directory(), name, Arc::new(recipe))
    }

    /// Ends everything and removes the directory. Returns when that is done.
    ///
    /// # Errors
    /// The keeper is gone; the next lab on this machine will clear up.
    pub async fn shutdown(mut self) -> Result<()> {
        self.finish().await
    }

    /// Ends everything, and keeps the logs. Returns where they are.
    ///
    /// # Errors
    /// The keeper is gone, or the disk is full.
    pub async fn fail(mut self) -> Result<PathBuf> {
        let logs = self.keeper.as_ref().context("the lab has ended already")?.keep_logs()?;
        self.finish().await?;
        Ok(logs)
    }

    pub(crate) fn empty(base: &Base, progress: &Progress) -> Result<Self> {
        let slot = base.take()?;
        let keeper = Keeper::start(slot.directory(), &base.failed(), slot.lock_file())?;
        let progress = progress.clone();
        Ok(Self {
            progress,
            parts: Parts::default(),
            zookeeper_certificates: None,
            keeper: Some(keeper),
            slot,
            _place: None,
        })
    }

    /// Gives up its place among the labs that run at once: this one waits for a person and does next to nothing, and
    /// others need not wait for it.
    pub fn give_way(&mut self) {
        self._place = None;
    }

    pub(crate) fn hold(&mut self, place: Place) {
        self._place = Some(place);
    }

    pub(crate) fn certify(&mut self, certificates: Certificates) {
        self.zookeeper_certificates = Some(certificates);
    }

    pub(crate) fn fill(&mut self, parts: Parts) {
        self.parts = parts;
    }

    async fn finish(&mut self) -> Result<()> {
        match self.keeper.take() {
            Some(mut keeper) => tokio::task::spawn_blocking(move || keeper.finish()).await?,
            None => Ok(()),
        }
    }
}

impl Drop for Lab {
    /// A test that panics keeps the logs.
    fn drop(&mut self) {
        let Some(keeper) = self.keeper.as_mut() else { return };
        if std::thread::panicking()
            && let Ok(logs) = keeper.keep_logs()
        {
            self.progress.line(format_args!("the logs of the failed lab are in {}", logs.display()));
        }
        let _ = keeper.finish();
    }
}
