//! Time, the queue of what is going to happen, the random numbers and the trace of one run. Everything that happens in
//! a run is an `Event` in this queue; what it means is decided by whom it is for.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::random::Random;

/// Simulated time in microseconds since the run's beginning.
pub type Micros = u64;

/// A thousand of them.
pub const MILLI: Micros = 1_000;
/// A million of them.
pub const SECOND: Micros = 1_000_000;

/// The time as the state machines take it.
#[must_use]
pub fn duration(at: Micros) -> Duration {
    Duration::from_micros(at)
}

/// Something that happens at a time. Numbers are indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The next packet of a connection arrives at its server.
    ToServer(usize),
    /// The next packet of a connection arrives at its client.
    ToClient(usize),
    /// The next request of a server arrives at its leader; `link` tells it from those of earlier links.
    ToLeader {
        /// The server that asks.
        server: usize,
        /// Its link.
        link: u32,
    },
    /// The next item of a leader's stream arrives at a server.
    FromLeader {
        /// The server.
        server: usize,
        /// Its link.
        link: u32,
    },
    /// A leader has said whether a connection may go on with its session.
    Revalidated {
        /// The connection.
        conn: usize,
        /// Whether it may.
        valid: bool,
    },
    /// A quorum has acknowledged the oldest proposal of this leader.
    Acknowledged {
        /// The leader.
        server: usize,
        /// Its term.
        term: u32,
    },
    /// A leader counts its followers and its sessions.
    LeaderTick {
        /// The leader.
        server: usize,
        /// Its term.
        term: u32,
    },
    /// A server finds that it has lost its leader, or a leader that it has lost its quorum, if that is still so.
    LinkCheck {
        /// The server.
        server: usize,
        /// Its link.
        link: u32,
    },
    /// A server that has found its leader is up to date.
    Joined {
        /// The server.
        server: usize,
        /// Its link.
        link: u32,
    },
    /// Parted servers reach each other again.
    Healed,
    /// Servers without a leader vote.
    Vote,
    /// A timer of a process is due.
    Wake(usize),
    /// The answer to a check arrives at the agent of this node.
    Checked {
        /// The node.
        node: usize,
        /// Which check.
        check: u32,
    },
    /// The end of the agent's long-lived connection arrives.
    WireEnded(usize),
    /// The answer to a proxy's causal read arrives.
    Read {
        /// The proxy.
        proxy: usize,
        /// Which read.
        read: u32,
    },
    /// A frozen process goes on.
    Resumed(usize),
    /// The next fault begins.
    Fault,
    /// A database becomes what it was before its fault.
    Recovered(usize),
    /// A server of ZooKeeper is started.
    ServerStarted(usize),
    /// A process that was killed is started.
    Started(usize),
}

/// What time, chance and the trace are to everything in a run.
#[derive(Debug)]
pub struct Context {
    /// The time.
    pub now: Micros,
    /// Chance.
    pub random: Random,
    queue: BinaryHeap<Reverse<(Micros, u64)>>,
    events: Vec<Event>,
    free: Vec<u32>,
    order: u64,
    trace: Option<Vec<String>>,
}

/// The low bits of a queue entry's key name the place of its event.
const PLACE_BITS: u32 = 24;

impl Context {
    /// The beginning of a run. `traced`: whether what happens is written down.
    #[must_use]
    pub fn new(seed: u64, traced: bool) -> Self {
        Self {
            now: 0,
            random: Random::new(seed),
            queue: BinaryHeap::with_capacity(256),
            events: Vec::with_capacity(256),
            free: Vec::new(),
            order: 0,
            trace: traced.then(Vec::new),
        }
    }

    /// Has `event` happen at `at`, after everything else that was put there before.
    pub fn at(&mut self, at: Micros, event: Event) {
        let place = match self.free.pop() {
            Some(place) => {
                self.events[place as usize] = event;
                place
            }
            None => {
                self.events.push(event);
                self.events.len() as u32 - 1
            }
        };
        self.order += 1;
        self.queue.push(Reverse((at.max(self.now), self.order << PLACE_BITS | u64::from(place))));
    }

    /// Has `event` happen `wait` from now.
    pub fn after(&mut self, wait: Micros, event: Event) {
        self.at(self.now + wait, event);
    }

    /// The next event, if it happens before `end`. The time becomes its.
    pub fn next(&mut self, end: Micros) -> Option<Event> {
        let Reverse((at, key)) = *self.queue.peek()?;
        if at >= end {
            self.now = end;
            return None;
        }
        self.queue.pop();
        self.now = at;
        let place = (key & ((1 << PLACE_BITS) - 1)) as u32;
        self.free.push(place);
        Some(self.events[place as usize])
    }

    /// Writes a line into the trace, if there is one.
    pub fn say(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let (seconds, micros) = (self.now / SECOND, self.now % SECOND);
            trace.push(format!("{seconds:4}.{micros:06}  {}", line()));
        }
    }

    /// What was written down.
    #[must_use]
    pub fn into_trace(self) -> Vec<String> {
        self.trace.unwrap_or_default()
    }

    /// How long a packet is on its way between two hosts: mostly under a millisecond, now and then far longer.
    pub fn latency(&mut self) -> Micros {
        match self.random.below(64) {
            0 => self.random.between(2 * MILLI, 120 * MILLI),
            _ => self.random.between(50, MILLI),
        }
    }
}
