//! Those who wait for one role, and the servers they may go to: which of these is next, and whether anybody may go now.
//! What the servers are busy with is `load`'s; the limits are the room's.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::time::Duration;

use super::load::Loads;
use super::{Cause, Dial, Limits, Target, Ticket};
use crate::HostPort;
use crate::backoff::Backoff;

/// First and longest pause before a server that refused is asked again. A restarting MariaDB refuses for seconds; a
/// crashed one is out of the election within milliseconds.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
/// The shortest wait that is asked for, so that rounding never makes one of nothing.
const SHORTEST: Duration = Duration::from_micros(100);
/// What may be released at once, as a part of a second's worth. Clocks that tick in milliseconds need some.
const BURST: f64 = 0.02;

/// The clients of one role.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) waiters: BTreeSet<Ticket>,
    servers: Vec<Server>,
    per_second: u32,
    seed: u64,
    /// After clients had to wait for a server the rest of them is let go at the limited rate.
    paced: bool,
    tokens: f64,
    filled_at: Duration,
}

/// A server that clients of this role may go to.
#[derive(Debug)]
struct Server {
    target: Target,
    /// It refused: one attempt at a time, and none before this.
    probe_from: Option<Duration>,
    retry: Backoff,
    /// Attempts since the list of servers changed: of servers that are equally busy the one with the fewest is next.
    given: u64,
}

/// What keeps the next client from going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blocked {
    /// It may go at this time.
    Until(Duration),
    /// A dial or a session has to end first, or a server has to come.
    UntilSomethingEnds,
}

impl Queue {
    pub(super) fn new(per_second: u32, seed: u64) -> Self {
        let (waiters, servers) = (BTreeSet::new(), Vec::new());
        Self { waiters, servers, per_second, seed, paced: false, tokens: 0.0, filled_at: Duration::ZERO }
    }

    /// Where clients go from now on. A server that stays on the list is treated as before.
    pub(super) fn aim(&mut self, targets: &[Target], now: Duration) {
        if self.servers.iter().map(|server| &server.target).eq(targets) {
            return;
        }
        let mut before = std::mem::take(&mut self.servers);
        for target in targets {
            let known = before.iter().position(|server| server.target.upstream == target.upstream);
            let (probe_from, retry) = match known.map(|index| before.swap_remove(index)) {
                Some(server) => (server.probe_from, server.retry),
                None => (None, Backoff::new(RETRY.0, RETRY.1, self.seed)),
            };
            self.servers.push(Server { target: target.clone(), probe_from, retry, given: 0 });
        }
        self.pace(now);
    }

    /// An attempt at `upstream` ended.
    pub(super) fn dialled(&mut self, upstream: &HostPort, outcome: Dial, now: Duration) {
        let Some(server) = self.servers.iter_mut().find(|server| server.target.upstream == *upstream) else {
            return;
        };
        match outcome {
            Dial::Greeted => {
                server.probe_from = None;
                server.retry.reset();
            }
            Dial::Failed => {
                // Attempts that were under way with the one that failed first prove nothing more.
                if server.probe_from.is_none_or(|from| from <= now) {
                    server.probe_from = Some(now + server.retry.wait());
                }
                if self.all_refuse() {
                    self.pace(now);
                }
            }
            Dial::GivenUp => {}
        }
    }

    /// Where the next client may go now; an attempt has begun then.
    pub(super) fn next(
        &mut self,
        limits: Limits,
        loads: &mut Loads,
        now: Duration,
    ) -> Result<HostPort, Blocked> {
        let index = self.choose(limits, loads, now)?;
        self.refill(now);
        if self.paced && self.tokens < 1.0 {
            let missing = (1.0 - self.tokens) / f64::from(self.per_second.max(1));
            return Err(Blocked::Until(now + Duration::from_secs_f64(missing).max(SHORTEST)));
        }
        if self.paced {
            self.tokens -= 1.0;
        }
        let server = self.servers.get_mut(index).ok_or(Blocked::UntilSomethingEnds)?;
        server.given += 1;
        loads.begin(&server.target.upstream);
        Ok(server.target.upstream.clone())
    }

    /// Nobody waits any more, so that the next to come need not be slowed down; but one that was refused everywhere is
    /// about to come back.
    pub(super) fn rest(&mut self) {
        self.paced &= self.all_refuse();
    }

    /// Why those wait that do.
    pub(super) fn cause(&self, limits: Limits, loads: &Loads) -> Cause {
        let refuses = |server: &Server| server.probe_from.is_some();
        let is_full = |server: &Server| limits.are_reached(loads.of(&server.target.upstream));
        if self.servers.is_empty() {
            return Cause::NoRoute;
        }
        if !self.servers.iter().all(|server| refuses(server) || is_full(server)) {
            return Cause::Turn;
        }
        if self.servers.iter().any(refuses) { Cause::Refused } else { Cause::NoPlace }
    }

    /// Of the servers that may be dialled now the one with the fewest sessions for its weight.
    fn choose(&self, limits: Limits, loads: &Loads, now: Duration) -> Result<usize, Blocked> {
        let (mut best, mut soonest) = (None, None::<Duration>);
        for (index, server) in self.servers.iter().enumerate() {
            let load = loads.of(&server.target.upstream);
            let dials = if server.probe_from.is_some() { 1 } else { limits.dials };
            if load.dials >= dials || limits.are_reached(load) {
                continue;
            }
            if let Some(from) = server.probe_from.filter(|from| now < *from) {
                soonest = Some(soonest.map_or(from, |other| other.min(from)));
                continue;
            }
            let busy =
                Busy { sessions: load.sessions as u64, given: server.given, weight: server.target.weight };
            if best.as_ref().is_none_or(|(_, least)| busy.is_less(least)) {
                best = Some((index, busy));
            }
        }
        match (best, soonest) {
            (Some((index, _)), _) => Ok(index),
            (None, Some(from)) => Err(Blocked::Until(from)),
            (None, None) => Err(Blocked::UntilSomethingEnds),
        }
    }

    fn all_refuse(&self) -> bool {
        !self.servers.is_empty() && self.servers.iter().all(|server| server.probe_from.is_some())
    }

    fn pace(&mut self, now: Duration) {
        self.refill(now);
        self.paced = true;
    }

    fn refill(&mut self, now: Duration) {
        let rate = f64::from(self.per_second);
        let passed = now.saturating_sub(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + passed * rate).min((rate * BURST).max(1.0));
        self.filled_at = now;
    }
}

/// How busy a server is.
struct Busy {
    sessions: u64,
    given: u64,
    weight: u32,
}

impl Busy {
    /// Whether this one has fewer sessions for its weight than the other. Where they have as many, the one is next that has
    /// been given fewer: so short sessions that come one after the other are spread by weight as well.
    fn is_less(&self, other: &Self) -> bool {
        let compare = |this: u64, that: u64| {
            (u128::from(this) * u128::from(other.weight)).cmp(&(u128::from(that) * u128::from(self.weight)))
        };
        let by_given = || compare(self.given + 1, other.given + 1);
        compare(self.sessions, other.sessions).then_with(by_given) == Ordering::Less
    }
}
