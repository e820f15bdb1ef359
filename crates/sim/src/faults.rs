//! The faults a run meets: what they do and how long they last. All are over at the plan's `faults_end`. Which may come,
//! is in `plan`.

use crate::context::{Event, MILLI, Micros};
use crate::database::Trouble;
use crate::world::World;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A MariaDB server crashes and is started again.
    Crash,
    /// A MariaDB server is stopped and goes on later.
    Freeze,
    /// A MariaDB server is cut off from its cluster.
    Minority,
    /// An operator sets `read_only`.
    ReadOnly,
    /// A MariaDB server feeds another one.
    Donor,
    /// An agent's or a proxy's process is stopped and goes on later.
    Stop,
    /// An agent is killed and started again.
    Kill,
    /// An agent is asked to end, and started again.
    Terminate,
    /// An agent or a proxy is cut off from some or all servers of ZooKeeper, in one direction or both.
    Cut,
    /// A server of ZooKeeper crashes and is started again.
    ServerCrash,
    /// The servers of ZooKeeper are parted.
    Partition,
    /// Every server of ZooKeeper crashes, and all are started again.
    Outage,
    /// A server of ZooKeeper falls behind.
    Lag,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Crash,
        Self::Freeze,
        Self::Minority,
        Self::ReadOnly,
        Self::Donor,
        Self::Stop,
        Self::Kill,
        Self::Terminate,
        Self::Cut,
        Self::ServerCrash,
        Self::Partition,
        Self::Outage,
        Self::Lag,
    ];
}

impl World {
    /// The next fault begins, and the one after it is due a while later.
    pub fn fault(&mut self) {
        let end = self.plan.faults_end;
        let now = self.net.ctx.now;
        if now + 50 * MILLI >= end {
            return;
        }
        let kind = self.plan.kinds[self.net.ctx.random.index(self.plan.kinds.len())];
        let until = now + self.length(end - now);
        self.net.ctx.say(|| format!("fault: {kind:?}, for {} ms", (until - now) / MILLI));
        match kind {
            Kind::Crash => self.trouble(Trouble::Down, until),
            Kind::Freeze => self.trouble(Trouble::Frozen, until),
            Kind::Minority => self.trouble(Trouble::Minority, until),
            Kind::ReadOnly => self.trouble(Trouble::ReadOnly, until),
            Kind::Donor => self.trouble(Trouble::Donor, until),
            Kind::Stop => self.stop(until),
            Kind::Kill | Kind::Terminate => self.end_agent(kind, until),
            Kind::Cut => self.cut(until),
            Kind::ServerCrash => self.crash_server(until),
            Kind::Partition => self.part(until),
            Kind::Outage => self.outage(until),
            Kind::Lag => self.lag(until),
        }
        let pause = self.net.ctx.random.below(self.plan.pause);
        self.net.ctx.after(pause, Event::Fault);
    }

    /// Short faults are as frequent as ones longer than the session timeout.
    fn length(&mut self, left: Micros) -> Micros {
        let timeout = self.plan.zookeeper.session_timeout;
        let most = [timeout / 8, timeout, timeout * 3][self.net.ctx.random.index(3)];
        self.net.ctx.random.between(MILLI, most).min(left)
    }

    fn trouble(&mut self, trouble: Trouble, until: Micros) {
        let node = self.net.ctx.random.index(self.plan.agents);
        if self.databases[node].trouble != Trouble::None {
            return;
        }
        self.net.ctx.say(|| format!("mariadb {node}: {trouble:?}"));
        self.databases[node].trouble = trouble;
        if trouble == Trouble::Down {
            self.databases[node].fenced = false;
            let wait = self.net.ctx.random.between(200, 5 * MILLI);
            self.net.ctx.after(wait, Event::WireEnded(node));
        }
        self.net.ctx.at(until, Event::Recovered(node));
    }

    /// A server that was started joins its cluster before it can lead.
    pub(crate) fn recovered(&mut self, node: usize) {
        let before = self.databases[node].trouble;
        let next = if before == Trouble::Down { Trouble::Joining } else { Trouble::None };
        self.net.ctx.say(|| format!("mariadb {node}: {next:?} after {before:?}"));
        self.databases[node].trouble = next;
        if next == Trouble::Joining {
            self.agents[node].guard.vanished();
            let wait = self.net.ctx.random.between(10 * MILLI, 500 * MILLI);
            self.net.ctx.after(wait, Event::Recovered(node));
        }
    }

    fn stop(&mut self, until: Micros) {
        let process = self.net.ctx.random.index(self.plan.agents + self.plan.proxies);
        if self.frozen[process].is_none() {
            self.net.ctx.say(|| format!("process {process}: stopped"));
            self.frozen[process] = Some(Vec::new());
            self.net.ctx.at(until, Event::Resumed(process));
        }
    }

    fn end_agent(&mut self, kind: Kind, until: Micros) {
        let node = self.net.ctx.random.index(self.plan.agents);
        let agent = &mut self.agents[node];
        if !agent.alive || agent.stopping || self.frozen[node].is_some() {
            return;
        }
        self.net.ctx.say(|| format!("agent {node}: {kind:?}"));
        if kind == Kind::Kill {
            agent.kill(&mut self.net);
            if self.net.ctx.random.percent(15) {
                self.net.ctx.say(|| format!("agent {node}: has lost its state directory"));
                agent.lose_state();
            }
        } else {
            agent.stopping = true;
            self.net.ctx.after(0, Event::Wake(node));
        }
        self.net.ctx.at(until, Event::Started(node));
    }

    fn cut(&mut self, until: Micros) {
        let random = &mut self.net.ctx.random;
        let process = random.index(self.plan.agents + self.plan.proxies);
        let directions = [(true, true), (true, true), (true, false), (false, true)][random.index(4)];
        let all = random.percent(60);
        let one = random.index(self.plan.zookeeper.servers);
        self.net.ctx.say(|| format!("process {process}: cut off, all {all}, directions {directions:?}"));
        for server in 0..self.plan.zookeeper.servers {
            if all || server == one {
                self.net.zookeeper.network.cut(process, server, until, directions);
            }
        }
    }

    fn crash_server(&mut self, until: Micros) {
        let server = self.net.ctx.random.index(self.plan.zookeeper.servers);
        let silently = self.net.ctx.random.percent(30);
        self.net.zookeeper.crash(&mut self.net.ctx, server, silently);
        self.net.ctx.at(until, Event::ServerStarted(server));
    }

    fn outage(&mut self, until: Micros) {
        let silently = self.net.ctx.random.percent(30);
        for server in 0..self.plan.zookeeper.servers {
            self.net.zookeeper.crash(&mut self.net.ctx, server, silently);
            self.net.ctx.at(until, Event::ServerStarted(server));
        }
    }

    fn part(&mut self, until: Micros) {
        let sides: Vec<u8> =
            (0..self.plan.zookeeper.servers).map(|_| u8::from(self.net.ctx.random.percent(40))).collect();
        self.net.ctx.say(|| format!("zookeeper: parted as {sides:?}"));
        self.net.zookeeper.part(&mut self.net.ctx, &sides, until);
        self.net.ctx.at(until, Event::Healed);
    }

    /// One server falls behind, or each by a time of its own. It takes a while to show.
    fn lag(&mut self, until: Micros) {
        let setting = self.plan.zookeeper;
        let until = (until + setting.sync_limit).min(self.plan.faults_end);
        let (all, one) = (self.net.ctx.random.percent(50), self.net.ctx.random.index(setting.servers));
        for server in 0..setting.servers {
            if all || server == one {
                // A follower that is further behind than `sync_limit` is left out by its leader.
                let lag = self.net.ctx.random.below(setting.sync_limit);
                self.net.ctx.say(|| format!("zookeeper: server {server} lags by {} ms", lag / MILLI));
                self.net.zookeeper.slow_down(server, lag, until);
            }
        }
    }
}
