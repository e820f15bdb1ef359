//! A whole system: agents with their servers, proxies, ZooKeeper. It hands each event to whom it is for, and holds back
//! what is for a process that is stopped. What is checked is in `checks`.

use crate::agent::lease::Peers;
use crate::agent::{Agent, AgentSetting};
use crate::checks::{Checked, Checks};
use crate::client::Net;
use crate::context::{Context, Event, MILLI, Micros};
use crate::database::{Database, Trouble};
use crate::plan::Plan;
use crate::proxy::Proxy;
use crate::rule::Broken;
use crate::zookeeper::Ensemble;

/// A system.
#[derive(Debug)]
pub struct World {
    /// What it was planned to be.
    pub plan: Plan,
    /// Everything between the processes.
    pub net: Net,
    /// The agents; their processes have the same numbers.
    pub agents: Vec<Agent>,
    /// The proxies; their processes come after the agents'.
    pub proxies: Vec<Proxy>,
    /// The agents' servers.
    pub databases: Vec<Database>,
    /// What waits for each process that is stopped.
    pub frozen: Vec<Option<Vec<Event>>>,
    /// When each process will be woken.
    armed: Vec<Micros>,
    /// What is checked.
    pub checks: Checks,
    /// Events that have happened.
    pub events: u64,
}

impl World {
    /// The system of this seed, before anything has happened.
    #[must_use]
    pub fn new(seed: u64, broken: Option<Broken>, traced: bool) -> Self {
        let plan = Plan::new(seed, broken);
        let processes = plan.agents + plan.proxies;
        let servers = plan.zookeeper.servers;
        let agent = |node: usize| {
            let delay = if node > 0 && node + 1 == plan.agents { plan.delay } else { plan.agent.delay };
            Agent::new(node, servers, seed ^ node as u64, AgentSetting { delay, ..plan.agent })
        };
        let proxy = |n: usize| Proxy::new(plan.agents + n, servers, plan.proxy);
        let mut world = Self {
            agents: (0..plan.agents).map(agent).collect(),
            proxies: (0..plan.proxies).map(proxy).collect(),
            databases: (0..plan.agents).map(|_| Database::new()).collect(),
            frozen: vec![None; processes],
            armed: vec![Micros::MAX; processes],
            checks: Checks::new(&plan),
            net: Net { ctx: Context::new(seed, traced), zookeeper: Ensemble::new(plan.zookeeper, processes) },
            events: 0,
            plan,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        let Plan { agents, proxies, zookeeper, agent, .. } = &self.plan;
        let (ensemble, fencing) = (format!("{zookeeper:?}"), agent.fencing);
        self.net.ctx.say(|| format!("{agents} agents, {proxies} proxies, {fencing:?}, {ensemble}"));
        self.net.ctx.at(0, Event::Vote);
        for process in 0..self.frozen.len() {
            let at = self.net.ctx.random.below(300 * MILLI);
            self.net.ctx.at(at, Event::Wake(process));
        }
        let first = self.net.ctx.random.below(self.plan.pause);
        self.net.ctx.at(first, Event::Fault);
    }

    /// Lets everything happen that happens before `end`.
    ///
    /// # Errors
    /// What was found to be wrong.
    pub fn run_until(&mut self, end: Micros) -> Checked {
        while let Some(event) = self.net.ctx.next(end) {
            self.events += 1;
            self.handle(event);
            self.check()?;
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) {
        if let Some(process) = self.process_of(event)
            && let Some(waiting) = &mut self.frozen[process]
        {
            return waiting.push(event);
        }
        let (ctx, zookeeper) = (&mut self.net.ctx, &mut self.net.zookeeper);
        match event {
            Event::ToServer(conn) => zookeeper.to_server(ctx, conn),
            Event::ToLeader { server, link } => zookeeper.to_leader(ctx, server, link),
            Event::FromLeader { server, link } => zookeeper.from_leader(ctx, server, link),
            Event::Revalidated { conn, valid } => zookeeper.revalidated(ctx, conn, valid),
            Event::Acknowledged { server, term } => zookeeper.acknowledged(ctx, server, term),
            Event::LeaderTick { server, term } => zookeeper.leader_tick(ctx, server, term),
            Event::LinkCheck { server, link } => zookeeper.link_check(ctx, server, link),
            Event::Joined { server, link } => zookeeper.joined(ctx, server, link),
            Event::Vote => zookeeper.vote(ctx),
            Event::Healed => zookeeper.heal(ctx),
            Event::ServerStarted(server) => zookeeper.start(ctx, server),
            Event::ToClient(conn) => self.packet_for_client(conn),
            Event::Wake(process) => self.wake(process),
            Event::Checked { node, check } => self.checked(node, check),
            Event::WireEnded(node) => self.wire_ended(node),
            Event::Read { proxy, read } => self.causal_read(proxy, read),
            Event::Resumed(process) => self.resume(process),
            Event::Fault => self.fault(),
            Event::Recovered(node) => self.recovered(node),
            Event::Started(node) => self.start(node),
        }
    }

    /// The process that has to run for this.
    fn process_of(&self, event: Event) -> Option<usize> {
        match event {
            Event::ToClient(conn) => Some(self.net.zookeeper.network.conns[conn].process),
            Event::Wake(process) | Event::Checked { node: process, .. } | Event::WireEnded(process) => {
                Some(process)
            }
            Event::Read { proxy, .. } => Some(proxy),
            _ => None,
        }
    }

    /// What waited arrives within milliseconds, timers and packets in any order.
    fn resume(&mut self, process: usize) {
        let ctx = &mut self.net.ctx;
        ctx.say(|| format!("process {process}: goes on"));
        for event in self.frozen[process].take().unwrap_or_default() {
            let wait = ctx.random.below(5 * MILLI);
            ctx.after(wait, event);
        }
        if process < self.agents.len() {
            self.agents[process].running_since = ctx.now;
        }
    }

    fn packet_for_client(&mut self, conn: usize) {
        let process = self.net.zookeeper.network.conns[conn].process;
        if process < self.agents.len() {
            self.agents[process].client.on_packet(&mut self.net, conn);
            self.agent_news(process);
        } else {
            let proxy = &mut self.proxies[process - self.plan.agents];
            proxy.client.on_packet(&mut self.net, conn);
            proxy.on_news(&mut self.net);
        }
        self.arm(process);
    }

    fn wake(&mut self, process: usize) {
        if self.armed[process] <= self.net.ctx.now {
            self.armed[process] = Micros::MAX;
        }
        if process < self.agents.len() {
            if self.agents[process].alive {
                let peers = self.peers(process);
                self.agents[process].on_time(peers, &mut self.databases[process], &mut self.net);
            }
        } else {
            self.proxies[process - self.plan.agents].on_time(&mut self.net);
        }
        self.arm(process);
    }

    /// Has a process woken when something is due, unless it will be before.
    fn arm(&mut self, process: usize) {
        let now = self.net.ctx.now;
        let due = match self.agents.get(process) {
            Some(agent) if !agent.alive => return,
            Some(agent) => agent.due(now),
            None => self.proxies[process - self.plan.agents].due(),
        };
        // At least a moment later: who was just asked has done what was due.
        let due = due.max(now + 10);
        if due < self.armed[process] {
            self.armed[process] = due;
            self.net.ctx.at(due, Event::Wake(process));
        }
    }

    fn agent_news(&mut self, node: usize) {
        if self.agents[node].alive {
            let peers = self.peers(node);
            self.agents[node].on_news(peers, &mut self.databases[node], &mut self.net);
        }
    }

    /// The agents reach each other whenever they run: a cut is one from ZooKeeper.
    fn peers(&self, node: usize) -> Peers {
        let mut peers = Peers { all: self.agents.len() - 1, ..Peers::default() };
        for (other, agent) in self.agents.iter().enumerate() {
            if other != node && agent.alive && self.frozen[other].is_none() {
                peers.answering += 1;
                peers.seeing += usize::from(agent.guard.holds(self.net.ctx.now));
            }
        }
        peers
    }

    fn checked(&mut self, node: usize, check: u32) {
        if self.agents[node].alive {
            self.agents[node].checks.answered(check, &self.databases[node], self.net.ctx.now);
            self.agent_news(node);
            self.arm(node);
        }
    }

    fn wire_ended(&mut self, node: usize) {
        if self.agents[node].alive {
            self.agents[node].checks.wire_ended(&self.databases[node], self.net.ctx.now);
            self.agent_news(node);
            self.arm(node);
        }
    }

    fn causal_read(&mut self, process: usize, read: u32) {
        let proxy = &mut self.proxies[process - self.plan.agents];
        let node = proxy.election.route().and_then(|route| crate::checks::node_of(&route.upstream));
        let passed = node.and_then(|node| match self.databases[node].trouble {
            Trouble::Frozen => None,
            trouble => Some(matches!(trouble, Trouble::None | Trouble::ReadOnly | Trouble::Donor)),
        });
        proxy.causal_answer(read, passed, self.net.ctx.now);
        self.arm(process);
    }

    fn start(&mut self, node: usize) {
        if self.agents[node].alive && !self.agents[node].stopping {
            return;
        }
        if self.agents[node].alive {
            self.agents[node].kill(&mut self.net);
        }
        let seed = self.net.ctx.random.bits();
        let fenced = self.databases[node].fenced;
        self.net.ctx.say(|| format!("agent {node}: started"));
        self.agents[node].start(seed, self.net.ctx.now, fenced);
        self.net.ctx.after(0, Event::Wake(node));
    }
}
