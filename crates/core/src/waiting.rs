//! Who of the waiting clients may connect to the primary, and when: oldest first, at a limited rate, with limited
//! attempts at once and limited sessions on each server. Owns the order and the limits; who waits for its turn, and how
//! it is told, is its caller's.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::HostPort;
use crate::backoff::Backoff;

/// First and longest pause before a server that refused is asked again. A restarting MariaDB refuses for seconds; a
/// crashed one is out of the election within milliseconds.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
/// The shortest wait that is asked for, so that rounding never makes one of nothing.
const SHORTEST: Duration = Duration::from_micros(100);
/// What may be released at once, as a part of a second's worth. Clocks that tick in milliseconds need some.
const BURST: f64 = 0.02;

/// What a server is to be spared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Waiting clients released a second, once some have had to wait for a server.
    pub per_second: u32,
    /// Attempts to connect to one server that may be under way at once.
    pub dials: usize,
    /// Sessions one server gets at once, attempts included. None: any number.
    pub sessions: Option<usize>,
    /// Clients that may wait.
    pub waiters: usize,
}

/// A client's place in the order: its age first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    /// When it was accepted, on the caller's clock.
    pub since: Duration,
    /// Its number, unique among those that wait.
    pub id: u64,
}

/// What a client that arrives does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It connects at once; an attempt has begun.
    Pass,
    /// It waits.
    Wait,
    /// Too many wait already.
    Full,
}

/// Who is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// This one, now; an attempt has begun.
    Now(Ticket),
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
    /// The server refused the last attempt.
    Refused,
    /// The server has as many sessions as it may have.
    NoPlace,
    /// Others are before it.
    Turn,
}

#[derive(Debug, Clone, Copy, Default)]
struct Load {
    dials: usize,
    sessions: usize,
}

/// The clients that wait, and what the servers are busy with.
#[derive(Debug)]
pub struct WaitingRoom {
    limits: Limits,
    waiters: BTreeSet<Ticket>,
    target: Option<HostPort>,
    loads: HashMap<HostPort, Load>,
    /// After clients had to wait for a server the rest of them is let go at the limited rate.
    paced: bool,
    tokens: f64,
    filled_at: Duration,
    /// The server refused: one attempt at a time, and none before this.
    probe_from: Option<Duration>,
    retry: Backoff,
}

impl WaitingRoom {
    /// An empty one, with nowhere to go. The seed spreads the attempts of many proxies at a server that refuses.
    #[must_use]
    pub fn new(limits: Limits, seed: u64) -> Self {
        Self {
            limits,
            waiters: BTreeSet::new(),
            target: None,
            loads: HashMap::new(),
            paced: false,
            tokens: 0.0,
            filled_at: Duration::ZERO,
            probe_from: None,
            retry: Backoff::new(RETRY.0, RETRY.1, seed),
        }
    }

    /// A client arrives, or comes back with the age it had.
    pub fn arrive(&mut self, ticket: Ticket, now: Duration) -> Arrival {
        if self.waiters.is_empty() && self.blocked(now).is_none() {
            self.begin();
            return Arrival::Pass;
        }
        if self.waiters.len() >= self.limits.waiters {
            return Arrival::Full;
        }
        self.waiters.insert(ticket);
        Arrival::Wait
    }

    /// A waiting client gives up. False: it did not wait any more.
    pub fn leave(&mut self, ticket: Ticket) -> bool {
        self.waiters.remove(&ticket)
    }

    /// The oldest that may go now. To be asked again until it is nobody, after everything that happens.
    pub fn release(&mut self, now: Duration) -> Release {
        if self.waiters.is_empty() {
            // One that the server refused is about to come back.
            self.paced &= self.probe_from.is_some();
            return Release::Nobody;
        }
        match self.blocked(now) {
            Some(Blocked::Until(at)) => Release::At(at),
            Some(Blocked::UntilSomethingEnds) => Release::Nobody,
            None => self.waiters.pop_first().map_or(Release::Nobody, |ticket| {
                self.begin();
                Release::Now(ticket)
            }),
        }
    }

    /// Where clients go from now on; none: nowhere.
    pub fn aim(&mut self, target: Option<&HostPort>, now: Duration) {
        if self.target.as_ref() == target {
            return;
        }
        self.target = target.cloned();
        self.probe_from = None;
        self.retry.reset();
        self.pace(now);
    }

    /// An attempt at `upstream` ended.
    pub fn dialled(&mut self, upstream: &HostPort, outcome: Dial, now: Duration) {
        if let Some(load) = self.loads.get_mut(upstream) {
            load.dials = load.dials.saturating_sub(1);
        }
        if outcome != Dial::Greeted {
            self.session_ended(upstream);
        }
        if self.target.as_ref() != Some(upstream) {
            return;
        }
        match outcome {
            Dial::Greeted => {
                self.probe_from = None;
                self.retry.reset();
            }
            Dial::Failed => {
                // Attempts that were under way with the one that failed first prove nothing more.
                if self.probe_from.is_none_or(|from| from <= now) {
                    self.probe_from = Some(now + self.retry.wait());
                }
                self.pace(now);
            }
            Dial::GivenUp => {}
        }
    }

    /// A session on `upstream` ended.
    pub fn session_ended(&mut self, upstream: &HostPort) {
        if let Some(load) = self.loads.get_mut(upstream) {
            load.sessions = load.sessions.saturating_sub(1);
            if load.sessions == 0 {
                self.loads.remove(upstream);
            }
        }
    }

    /// Why those wait that do.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match &self.target {
            None => Cause::NoRoute,
            Some(_) if self.probe_from.is_some() => Cause::Refused,
            Some(target) if self.is_full(self.load(target)) => Cause::NoPlace,
            Some(_) => Cause::Turn,
        }
    }

    /// Where clients go.
    #[must_use]
    pub fn target(&self) -> Option<&HostPort> {
        self.target.as_ref()
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiters.len()
    }

    /// Sessions there are on all servers, attempts included.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.loads.values().map(|load| load.sessions).sum()
    }

    fn begin(&mut self) {
        if self.paced {
            self.tokens -= 1.0;
        }
        if let Some(target) = &self.target {
            let load = self.loads.entry(target.clone()).or_default();
            load.dials += 1;
            load.sessions += 1;
        }
    }

    fn blocked(&mut self, now: Duration) -> Option<Blocked> {
        let Some(target) = &self.target else { return Some(Blocked::UntilSomethingEnds) };
        let load = self.load(target);
        let dials = if self.probe_from.is_some() { 1 } else { self.limits.dials };
        if load.dials >= dials || self.is_full(load) {
            return Some(Blocked::UntilSomethingEnds);
        }
        if let Some(from) = self.probe_from.filter(|from| now < *from) {
            return Some(Blocked::Until(from));
        }
        self.refill(now);
        if !self.paced || self.tokens >= 1.0 {
            return None;
        }
        let missing = (1.0 - self.tokens) / f64::from(self.limits.per_second.max(1));
        Some(Blocked::Until(now + Duration::from_secs_f64(missing).max(SHORTEST)))
    }

    fn pace(&mut self, now: Duration) {
        self.refill(now);
        self.paced = true;
    }

    fn refill(&mut self, now: Duration) {
        let rate = f64::from(self.limits.per_second);
        let passed = now.saturating_sub(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + passed * rate).min((rate * BURST).max(1.0));
        self.filled_at = now;
    }

    fn load(&self, upstream: &HostPort) -> Load {
        self.loads.get(upstream).copied().unwrap_or_default()
    }

    fn is_full(&self, load: Load) -> bool {
        self.limits.sessions.is_some_and(|most| load.sessions >= most)
    }
}

enum Blocked {
    UntilSomethingEnds,
    Until(Duration),
}
