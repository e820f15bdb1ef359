//! One agent's process over the model: the library, the registrar, the checks and the guard, as `src/agent/mod.rs` puts
//! them together. It decides nothing.

pub mod checks;
pub mod lease;
pub mod registrar;
mod requests;

use std::time::Duration;

use capitana_core::candidacy::{Inputs, Wish, standing};

use crate::client::{Client, Net, Told};
use crate::context::Micros;
use crate::database::Database;
use crate::rule::Broken;
use checks::Checks;
use lease::{Fencing, Guard, Known, Peers};
use registrar::{Hands, Registrar};

/// What an agent is started with.
#[derive(Debug, Clone, Copy)]
pub struct AgentSetting {
    /// The session timeout.
    pub timeout: Micros,
    /// Whether it fences.
    pub fencing: Fencing,
    /// How long it waits after its server became fit: `rejoin-delay` of an agent of low priority.
    pub delay: Duration,
    /// The rule it breaks.
    pub broken: Option<Broken>,
}

/// One agent.
#[derive(Debug)]
pub struct Agent {
    /// Its node, and its process.
    pub node: usize,
    setting: AgentSetting,
    /// The library.
    pub client: Client,
    /// Keeps the znode.
    pub registrar: Registrar,
    /// Watches the server.
    pub checks: Checks,
    /// Watches the lease.
    pub guard: Guard,
    /// Whether the process is there.
    pub alive: bool,
    /// Whether it was asked to end.
    pub stopping: bool,
    /// Since when it runs without a break, for those who check what it did in time.
    pub running_since: Micros,
    /// Since when it holds its lease.
    pub holding_since: Option<Micros>,
}

impl Agent {
    /// An agent whose process will be started.
    #[must_use]
    pub fn new(node: usize, servers: usize, seed: u64, setting: AgentSetting) -> Self {
        Self {
            node,
            client: Client::new(node, servers, setting.timeout),
            registrar: Registrar::new(node, node as u32 + 1, seed, setting.broken),
            checks: Checks::new(node, 0),
            guard: Guard::new(setting.fencing, setting.timeout, 0, false, setting.broken),
            setting,
            alive: true,
            stopping: false,
            running_since: 0,
            holding_since: None,
        }
    }

    /// The process ends without a word; its kernel closes its connections. What it keeps in files stays.
    pub fn kill(&mut self, net: &mut Net) {
        self.client.leave(net);
        self.client.forget_what_was_seen();
        self.alive = false;
    }

    /// What it keeps in files is lost: its session, and who it is.
    pub fn lose_state(&mut self) {
        self.client.session = 0;
        self.registrar.guid += 1 << 8;
    }

    /// The process is started.
    pub fn start(&mut self, seed: u64, now: Micros, fenced: bool) {
        self.registrar = Registrar::new(self.node, self.registrar.guid, seed, self.setting.broken);
        self.checks = Checks::new(self.node, now);
        self.guard = Guard::new(self.setting.fencing, self.setting.timeout, now, fenced, self.setting.broken);
        self.alive = true;
        self.stopping = false;
        self.running_since = now;
        self.holding_since = None;
    }

    /// What is to become of the znode.
    #[must_use]
    pub fn wish(&self, now: Micros) -> Wish {
        let trusting = self.setting.broken == Some(Broken::TrustsOldVerdicts);
        let inputs = Inputs {
            fitness: self.checks.fitness(now, trusting),
            stopping: self.stopping,
            stepped_down: false,
            fenced: self.guard.is_fencing(),
        };
        standing(inputs, self.setting.delay).wish()
    }

    /// When it has to be woken next.
    #[must_use]
    pub fn due(&self, now: Micros) -> Micros {
        self.client.due().min(self.registrar.due()).min(self.checks.due()).min(self.guard.due(now))
    }

    /// Does what is due.
    pub fn on_time(&mut self, peers: Peers, database: &mut Database, net: &mut Net) {
        self.client.on_time(net);
        self.checks.on_time(database, &mut net.ctx);
        self.on_news(peers, database, net);
    }

    /// Takes in what the library tells, and acts on it and on everything else that is new.
    pub fn on_news(&mut self, peers: Peers, database: &mut Database, net: &mut Net) {
        let now = net.ctx.now;
        self.tell(net);
        let wish = self.wish(now);
        let mut hands = Hands { client: &mut self.client, net };
        self.registrar.on_time(wish, &mut hands);
        if self.registrar.is_serving() {
            self.guard.beat(&mut hands);
        }
        self.tell(net);
        let has_znode = self.registrar.may_lead();
        let known = Known { has_znode, others: self.registrar.others, peers };
        self.guard.act(known, database, &mut net.ctx);
        self.holding_since = match (self.guard.holds(now), self.holding_since) {
            (true, None) => Some(now),
            (true, since) => since,
            (false, _) => None,
        };
        if self.stopping && self.registrar.registration.is_withdrawn() {
            self.client.end(net);
            self.alive = false;
        }
    }

    fn tell(&mut self, net: &mut Net) {
        while let Some(told) = self.client.next_told() {
            match &told {
                Told::Answered(xid, reply) if self.guard.answered(*xid, reply.is_some()) => continue,
                Told::Opened(_) | Told::LinkUp => self.guard.linked(net.ctx.now),
                _ => {}
            }
            let wish = self.wish(net.ctx.now);
            self.registrar.on_told(told, wish, &mut Hands { client: &mut self.client, net });
        }
    }
}
