//! Owns what a lab consists of, and bringing it up.

use std::time::Duration;

use anyhow::Result;

use crate::certs::Certificates;
use crate::daemon::{self, Agent, Daemons, Proxy};
use crate::door::Door;
use crate::galera::{self, Disk, GaleraOptions, Node, Timeouts};
use crate::gate::Place;
use crate::lab::{Lab, Parts};
use crate::progress::Progress;
use crate::slot::Base;
use crate::zookeeper::ZooKeeper;

/// What it takes to fence in every mode. Not granted otherwise: who has it may log in to a full server.
const FENCING: &str = "GRANT READ_ONLY ADMIN, CONNECTION ADMIN, SUPER ON *.* TO capitana@'%'";

/// A lab to be: how many of what, and their settings. [`Lab::builder`] makes one with nothing in it.
#[derive(Debug, Clone)]
pub struct Builder {
    nodes: usize,
    zookeepers: usize,
    zookeeper_tls: bool,
    agents: bool,
    proxies: usize,
    galera: GaleraOptions,
    session_timeout: Duration,
    monitor: bool,
    doors: bool,
    fences: bool,
    agent_arguments: Vec<String>,
    proxy_arguments: Vec<String>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            nodes: 0,
            zookeepers: 0,
            zookeeper_tls: false,
            agents: false,
            proxies: 0,
            galera: GaleraOptions::default(),
            session_timeout: Duration::from_secs(2),
            monitor: true,
            doors: false,
            fences: false,
            agent_arguments: Vec::new(),
            proxy_arguments: Vec::new(),
        }
    }
}

impl Builder {
    /// Galera nodes, one to three.
    #[must_use]
    pub fn galera(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// ZooKeeper servers: none, one, or an ensemble of three.
    #[must_use]
    pub fn zookeeper(mut self, servers: usize) -> Self {
        self.zookeepers = servers;
        self
    }

    /// ZooKeeper also takes clients that speak TLS and show a certificate; [`Lab::zookeeper_certificates`] has them.
    #[must_use]
    pub fn zookeeper_tls(mut self, tls: bool) -> Self {
        self.zookeeper_tls = tls;
        self
    }

    /// A capitana agent beside each node.
    #[must_use]
    pub fn agents(mut self, agents: bool) -> Self {
        self.agents = agents;
        self
    }

    /// capitana proxies.
    #[must_use]
    pub fn proxies(mut self, proxies: usize) -> Self {
        self.proxies = proxies;
        self
    }

    /// How long the cluster waits for a silent member.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.galera.timeouts = timeouts;
        self
    }

    /// An option of mariadbd, for example `max_allowed_packet`, `128M`; it beats the lab's own.
    #[must_use]
    pub fn server_option(mut self, name: &str, value: &str) -> Self {
        self.galera.server.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Ordinary servers in place of Galera nodes, with no replication between them.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.galera.plain = true;
        self
    }

    /// How the nodes' disks can be stopped.
    #[must_use]
    pub fn disk(mut self, disk: Disk) -> Self {
        self.galera.disk = disk;
        self
    }

    /// Options of the Galera provider, for example `gcache.size=128M`; they beat the lab's own.
    #[must_use]
    pub fn provider_options(mut self, options: &str) -> Self {
        options.clone_into(&mut self.galera.provider);
        self
    }

    /// The session timeout of agents and proxies. 2 s when not set.
    #[must_use]
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.session_timeout = timeout;
        self
    }

    /// Whether proxies have the monitoring account, without which there is no barrier and no drain. They have it when
    /// not set.
    #[must_use]
    pub fn monitor(mut self, monitor: bool) -> Self {
        self.monitor = monitor;
        self
    }

    /// A door between each agent and ZooKeeper, by which it can be cut off.
    #[must_use]
    pub fn doors(mut self) -> Self {
        self.doors = true;
        self
    }

    /// Agents fence in this mode, and have the privileges for it.
    #[must_use]
    pub fn fence(mut self, mode: &str) -> Self {
        self.fences = true;
        self.agent_argument(&format!("--fence={mode}"))
    }

    /// One more argument for every agent.
    #[must_use]
    pub fn agent_argument(mut self, argument: &str) -> Self {
        self.agent_arguments.push(argument.to_owned());
        self
    }

    /// One more argument for every proxy.
    #[must_use]
    pub fn proxy_argument(mut self, argument: &str) -> Self {
        self.proxy_arguments.push(argument.to_owned());
        self
    }

    /// Brings the lab up, and returns when all of it is ready. What was started is ended again if a part fails; the
    /// logs are kept then.
    ///
    /// # Errors
    /// A package is missing, or a part does not get ready. The message says where the logs are.
    pub async fn start(self, progress: &Progress) -> Result<Lab> {
        let base = Base::of_this_machine();
        let mut lab = Lab::empty(&base, progress)?;
        progress.say(format_args!("the lab's directory is {}", lab.slot().directory().display()));
        if self.nodes > 0 {
            lab.hold(Place::wait(&base, progress).await?);
        }
        match Box::pin(self.fill(&mut lab)).await {
            Ok(()) => Ok(lab),
            Err(error) => {
                let logs = lab.fail().await?;
                Err(error.context(format!("the lab did not come up; its logs are in {}", logs.display())))
            }
        }
    }

    async fn fill(&self, lab: &mut Lab) -> Result<()> {
        if self.zookeeper_tls {
            let names: Vec<_> =
                (0..self.zookeepers).map(|index| lab.slot().zookeeper(index).to_string()).collect();
            lab.certify(Certificates::create(&lab.slot().directory().join("zookeeper-tls"), &names)?);
        }
        let (zookeepers, nodes) = tokio::try_join!(self.start_zookeepers(lab), self.start_nodes(lab))?;
        let mut parts = Parts { nodes, zookeepers, ..Parts::default() };
        if self.agents || self.proxies > 0 {
            let daemons = self.daemons(&parts)?;
            if let Some(node) = parts.nodes.first().filter(|_| self.fences) {
                node.execute(FENCING).await?;
            }
            for index in 0..if self.doors { parts.nodes.len() } else { 0 } {
                parts.doors.push(Door::open(lab.slot(), index, &parts.zookeepers).await?);
            }
            parts.agents = self.start_agents(lab, &parts, &daemons).await?;
            parts.proxies = self.start_proxies(lab, &daemons).await?;
        }
        lab.fill(parts);
        Ok(())
    }

    async fn start_zookeepers(&self, lab: &Lab) -> Result<Vec<ZooKeeper>> {
        let tls = lab.zookeeper_certificates().filter(|_| self.zookeeper_tls);
        let servers: Vec<_> = (0..self.zookeepers)
            .map(|index| ZooKeeper::new(lab.slot(), index, self.zookeepers, tls))
            .collect::<Result<_>>()?;
        for server in &servers {
            server.start().await?;
        }
        for server in &servers {
            server.wait_ready().await?;
            lab.progress().say(format_args!("{} serves on {}", server.name(), server.connect_string()));
        }
        Ok(servers)
    }

    async fn start_nodes(&self, lab: &Lab) -> Result<Vec<Node>> {
        if self.nodes == 0 {
            return Ok(Vec::new());
        }
        lab.progress().say(format_args!("installing MariaDB's system tables for {} nodes", self.nodes));
        let nodes = galera::install(lab.slot(), self.nodes, &self.galera).await?;
        let kind = if self.galera.plain { "servers" } else { "Galera nodes" };
        lab.progress().say(format_args!("starting {} {kind}", self.nodes));
        for node in &nodes {
            node.start().await?;
        }
        for node in &nodes {
            node.wait_ready(nodes.len()).await?;
            lab.progress().say(format_args!("{} is synced, on {}", node.name(), node.address()));
        }
        Ok(nodes)
    }

    fn daemons(&self, parts: &Parts) -> Result<Daemons> {
        let zookeeper: Vec<_> = parts.zookeepers.iter().map(ZooKeeper::connect_string).collect();
        Ok(Daemons {
            program: daemon::program()?,
            zookeeper: zookeeper.join(","),
            session_timeout: self.session_timeout,
            monitor: self.monitor,
            agent: self.agent_arguments.clone(),
            proxy: self.proxy_arguments.clone(),
        })
    }

    async fn start_agents(&self, lab: &Lab, parts: &Parts, daemons: &Daemons) -> Result<Vec<Agent>> {
        let mut agents = Vec::new();
        for (index, node) in parts.nodes.iter().enumerate().filter(|_| self.agents) {
            let mut daemons = daemons.clone();
            if let Some(door) = parts.doors.get(index) {
                door.connect_string().clone_into(&mut daemons.zookeeper);
            }
            let agent = Agent::new(lab.slot(), index, node, &daemons)?;
            agent.start().await?;
            agent.wait_ready().await?;
            lab.progress().say(format_args!("{} watches {}", agent.name(), node.name()));
            agents.push(agent);
        }
        Ok(agents)
    }

    async fn start_proxies(&self, lab: &Lab, daemons: &Daemons) -> Result<Vec<Proxy>> {
        let mut proxies = Vec::new();
        for index in 0..self.proxies {
            let proxy = Proxy::new(lab.slot(), index, daemons)?;
            proxy.start().await?;
            proxies.push(proxy);
        }
        // Without agents of capitana's nobody is elected yet: then the proxies only have to answer.
        for proxy in proxies.iter().filter(|_| self.agents) {
            proxy.wait_ready().await?;
            lab.progress().say(format_args!("{} leads {} to the primary", proxy.name(), proxy.address()));
        }
        Ok(proxies)
    }
}
