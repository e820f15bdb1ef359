//! One proxy's control path over the model: the follower (`src/proxy/follow.rs`), the director (`src/proxy/director.rs`)
//! and the causal reads (`src/proxy/lead.rs`). Whom it follows is decided by `capitana_core::election`, when the route
//! opens by `capitana_core::barrier`.

mod follow;

use std::time::Duration;

use capitana_core::backoff::Backoff;
use capitana_core::barrier::Gate;
use capitana_core::election::{Change, Event};
use capitana_core::{AllowList, Election, RawMember, RawView, Route};

use crate::client::{Client, Net};
use crate::context::{MILLI, Micros, SECOND, duration};
use crate::reading::{Found, Reading};
use crate::rule::Broken;

/// `REREAD`, `LOOKS`, `READ_LIMIT` and `RECONNECT` of `src/proxy/follow.rs`.
const REREAD: Micros = 10 * SECOND;
const LOOKS: Micros = 3;
const READ_LIMIT: Micros = 5 * SECOND;
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// `RETRY_PAUSE` of `src/proxy/lead.rs`, and the default of `barrier-timeout`.
const CAUSAL_PAUSE: Micros = 50 * MILLI;
const BARRIER_TIMEOUT: Micros = 8 * SECOND;

#[derive(Debug)]
enum Phase {
    /// Waits before the next attempt to open a session.
    Waiting(Micros),
    Opening,
    /// Reads, until then at the longest.
    Reading(Reading, Micros),
    /// Waits before the next reading.
    Paused(Micros),
    /// Has read. The next look, if none is under way, and the next reading are due at these times.
    Awaiting {
        look_at: Micros,
        reread_at: Micros,
        look: Option<(Reading, Micros)>,
    },
    /// Waits for the link.
    CutOff,
}

/// A reading, as those who check see it: its `pzxid`, and what became of it.
#[derive(Debug, Clone)]
pub struct Believed {
    /// The reading's.
    pub pzxid: i64,
    /// Whether the view was taken from it.
    pub used: bool,
}

/// What a proxy is started with.
#[derive(Debug, Clone, Copy)]
pub struct ProxySetting {
    /// The session timeout.
    pub timeout: Micros,
    /// Whether its library tells servers that it has seen nothing yet, so that even one that lags takes it. ZooKeeper's own
    /// guard against older readings is then gone, and the election's is left.
    pub forgetful: bool,
    /// The rule it breaks.
    pub broken: Option<Broken>,
}

/// One proxy.
#[derive(Debug)]
pub struct Proxy {
    /// The library.
    pub client: Client,
    /// Whom it follows.
    pub election: Election,
    /// When the route opens.
    pub gate: Gate,
    /// Readings since the last check, in order.
    pub readings: Vec<Believed>,
    timeout: Micros,
    broken: Option<Broken>,
    phase: Phase,
    backoff: Backoff,
    view_pzxid: i64,
    /// The causal read under way: its number, and since when reads are made for this epoch.
    causal: Option<(u32, Micros)>,
    causal_at: Micros,
    number: u32,
}

impl Proxy {
    /// A proxy that has just been started.
    #[must_use]
    pub fn new(process: usize, servers: usize, setting: ProxySetting) -> Self {
        let ProxySetting { timeout, forgetful, broken } = setting;
        let forgetful =
            forgetful || matches!(broken, Some(Broken::BelievesStaleReadings | Broken::ForgetsEpochs));
        Self {
            client: Client::new(process, servers, timeout).forgetful(forgetful),
            election: Election::new(AllowList::default()),
            gate: Gate::default(),
            readings: Vec::new(),
            timeout,
            broken,
            phase: Phase::Waiting(0),
            backoff: Backoff::new(RECONNECT.0, RECONNECT.1, process as u64),
            view_pzxid: 0,
            causal: None,
            causal_at: Micros::MAX,
            number: 0,
        }
    }

    /// The route new sessions take.
    #[must_use]
    pub fn open_route(&self) -> Option<&Route> {
        self.election.route().filter(|route| self.gate.is_open(route.epoch))
    }

    /// The `pzxid` of the reading its view is from.
    #[must_use]
    pub fn view_pzxid(&self) -> i64 {
        self.view_pzxid
    }

    /// When it has to be woken next.
    #[must_use]
    pub fn due(&self) -> Micros {
        let phase = match &self.phase {
            Phase::Waiting(until) | Phase::Reading(_, until) | Phase::Paused(until) => *until,
            Phase::Opening | Phase::CutOff => Micros::MAX,
            Phase::Awaiting { look: Some((_, until)), .. } => *until,
            Phase::Awaiting { look_at, .. } => *look_at,
        };
        phase.min(self.client.due()).min(self.causal_at)
    }

    fn found(&mut self, found: &Found, net: &mut Net) {
        let now = net.ctx.now;
        self.backoff.reset();
        self.view_pzxid = found.pzxid;
        let used = self.on(Event::Read(self.raw(found)), net);
        if found.exists && self.broken != Some(Broken::ForgetsEpochs) {
            self.readings.push(Believed { pzxid: found.pzxid, used });
        }
        let look_at = now + self.timeout / LOOKS;
        self.phase = Phase::Awaiting { look_at, reread_at: now + REREAD, look: None };
        if found.changed {
            self.read(net);
        }
    }

    /// The reading as the election takes it; with what a broken rule makes of it.
    fn raw(&self, found: &Found) -> RawView {
        let member = |znode: &crate::zookeeper::tree::Znode| RawMember {
            name: znode.name(),
            czxid: match self.broken {
                // So that a younger one is never the older epoch: epochs have to grow for a reader of names, too.
                Some(Broken::SortsByName) => (1 << 40) + i64::from(znode.sequence),
                _ => znode.czxid,
            },
            ephemeral_owner: znode.session,
            data: format!("db{}", znode.node).into_bytes(),
        };
        let pzxid = match self.broken {
            Some(Broken::BelievesStaleReadings) => i64::MAX,
            _ => found.pzxid,
        };
        RawView { pzxid, exists: found.exists, members: found.members.iter().map(member).collect() }
    }

    /// Tells the logic, and does as it says. Answers whether a reading was used.
    fn on(&mut self, event: Event, net: &mut Net) -> bool {
        let now = net.ctx.now;
        match self.election.on(event, duration(now)) {
            Change::Stale => return false,
            Change::None | Change::Closed => {}
            Change::Opened(route) => {
                self.gate.elected(route.epoch);
                self.causal = None;
                self.causal_at = now;
                let process = self.client.process();
                net.ctx.say(|| {
                    format!("proxy {process}: {} is elected, epoch {:#x}", route.upstream, route.epoch.0)
                });
            }
        }
        true
    }

    /// Makes the next causal read, or gives them up.
    fn causal_read(&mut self, net: &mut Net) {
        self.causal_at = Micros::MAX;
        let Some(epoch) = self.election.route().map(|route| route.epoch) else { return };
        if self.gate.is_open(epoch) {
            return;
        }
        let since = self.causal.map_or(net.ctx.now, |(_, since)| since);
        if net.ctx.now >= since + BARRIER_TIMEOUT {
            return self.gate.waive(epoch);
        }
        self.number += 1;
        self.causal = Some((self.number, since));
        // Should no answer come.
        self.causal_at = since + BARRIER_TIMEOUT;
        let (wait, proxy) = (net.ctx.random.between(MILLI, 10 * MILLI), self.client.process());
        net.ctx.after(wait, crate::context::Event::Read { proxy, read: self.number });
    }

    /// The server's answer to a causal read arrives: whether it passed; none if the server does not answer.
    pub fn causal_answer(&mut self, read: u32, passed: Option<bool>, now: Micros) {
        if self.causal.is_none_or(|(number, _)| number != read) {
            return;
        }
        let Some(epoch) = self.election.route().map(|route| route.epoch) else { return };
        match passed {
            Some(true) => {
                self.gate.passed(epoch, duration(now));
                self.causal_at = Micros::MAX;
            }
            Some(false) => self.causal_at = now + CAUSAL_PAUSE,
            None => {}
        }
    }
}
