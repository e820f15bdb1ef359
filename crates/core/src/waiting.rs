//! Who of the waiting clients may connect to a server, to which, and when: oldest first, at a limited rate, with limited
//! attempts at once and limited sessions on each server. Clients of the primary and of the replicas wait apart, and
//! what they keep servers busy with counts together. Owns the order and the limits; who waits for its turn, and how it
//! is told, is its caller's.

mod load;
mod queue;

use std::time::Duration;

pub use load::Load;

use crate::{HostPort, Role};
use load::Loads;
use queue::{Blocked, Queue};

/// What a server is to be spared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Waiting clients of one role released a second, once some have had to wait for a server.
    pub per_second: u32,
    /// Attempts to connect to one server that may be under way at once.
    pub dials: usize,
    /// Sessions one server gets at once, attempts included. None: any number.
    pub sessions: Option<usize>,
    /// Clients that may wait, of both roles together.
    pub waiters: usize,
}

impl Limits {
    fn are_reached(self, load: Load) -> bool {
        self.sessions.is_some_and(|most| load.sessions >= most)
    }
}

/// A client's place in the order: its age first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    /// When it was accepted, on the caller's clock.
    pub since: Duration,
    /// Its number, unique among those that wait.
    pub id: u64,
    /// What it waits for.
    pub role: Role,
}

/// A server that clients may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its address.
    pub upstream: HostPort,
    /// Its share of the sessions; 0 gets none.
    pub weight: u32,
}

/// What a client that arrives does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// It connects to this server at once; an attempt has begun.
    Pass(HostPort),
    /// It waits.
    Wait,
    /// Too many wait already.
    Full,
}

/// Who is next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// This one, now, to this server; an attempt has begun.
    Now(Ticket, HostPort),
    /// Somebody at this time.
    At(Duration),
    /// Nobody before something happens.
    Nobody,
}

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dial {
    /// The server has greeted: a session has begun.
    Greeted,
    /// The server cannot be reached.
    Failed,
    /// It was given up and proves nothing.
    GivenUp,
}

/// Why a client waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// There is no server to go to.
    NoRoute,
    /// The servers refused the last attempts.
    Refused,
    /// The servers have as many sessions as they may have.
    NoPlace,
    /// Others are before it.
    Turn,
}

/// The clients that wait, and what the servers are busy with.
#[derive(Debug)]
pub struct WaitingRoom {
    limits: Limits,
    queues: [Queue; Role::ALL.len()],
    loads: Loads,
}

impl WaitingRoom {
    /// An empty one, with nowhere to go. The seed spreads the attempts of many proxies at a server that refuses.
    #[must_use]
    pub fn new(limits: Limits, seed: u64) -> Self {
        let queues = Role::ALL.map(|_| Queue::new(limits.per_second, seed));
        Self { limits, queues, loads: Loads::default() }
    }

    /// A client arrives, or comes back with the age it had.
    pub fn arrive(&mut self, ticket: Ticket, now: Duration) -> Arrival {
        let queue = &mut self.queues[ticket.role.index()];
        if queue.waiters.is_empty()
            && let Ok(upstream) = queue.next(self.limits, &mut self.loads, now)
        {
            return Arrival::Pass(upstream);
        }
        if self.waiting() >= self.limits.waiters {
            return Arrival::Full;
        }
        self.queues[ticket.role.index()].waiters.insert(ticket);
        Arrival::Wait
    }

    /// A waiting client gives up. False: it did not wait any more.
    pub fn leave(&mut self, ticket: Ticket) -> bool {
        self.queues[ticket.role.index()].waiters.remove(&ticket)
    }

    /// The oldest of a role that may go now. To be asked again until it is nobody, after everything that happens.
    pub fn release(&mut self, now: Duration) -> Release {
        let mut soonest = None::<Duration>;
        for queue in &mut self.queues {
            if queue.waiters.is_empty() {
                queue.rest();
                continue;
            }
            match queue.next(self.limits, &mut self.loads, now) {
                Err(Blocked::Until(at)) => soonest = Some(soonest.map_or(at, |other| other.min(at))),
                Err(Blocked::UntilSomethingEnds) => {}
                Ok(upstream) => {
                    if let Some(ticket) = queue.waiters.pop_first() {
                        return Release::Now(ticket, upstream);
                    }
                }
            }
        }
        soonest.map_or(Release::Nobody, Release::At)
    }

    /// Where clients of this role go from now on; none: nowhere.
    pub fn aim(&mut self, role: Role, targets: &[Target], now: Duration) {
        self.queues[role.index()].aim(targets, now);
    }

    /// An attempt of a client of this role at `upstream` ended.
    pub fn dialled(&mut self, role: Role, upstream: &HostPort, outcome: Dial, now: Duration) {
        self.loads.dial_ended(upstream);
        if outcome != Dial::Greeted {
            self.loads.session_ended(upstream);
        }
        self.queues[role.index()].dialled(upstream, outcome, now);
    }

    /// A session on `upstream` ended.
    pub fn session_ended(&mut self, upstream: &HostPort) {
        self.loads.session_ended(upstream);
    }

    /// Why those of this role wait that do.
    #[must_use]
    pub fn cause(&self, role: Role) -> Cause {
        self.queues[role.index()].cause(self.limits, &self.loads)
    }

    /// How many of this role wait.
    #[must_use]
    pub fn waiting_for(&self, role: Role) -> usize {
        self.queues[role.index()].waiters.len()
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queues.iter().map(|queue| queue.waiters.len()).sum()
    }

    /// Sessions there are on all servers, attempts included.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.loads.sessions()
    }

    /// What a server is busy with.
    #[must_use]
    pub fn load(&self, upstream: &HostPort) -> Load {
        self.loads.of(upstream)
    }
}
