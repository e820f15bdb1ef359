//! The agent's heartbeats, what it asks of the other agents, and its fence over the model. When a fence is due is
//! `capitana_core::fence`'s.

use capitana_core::fence::{Due, Event, Fence, Round, Seen, Server};
use capitana_core::lease::{Lease, Standing, heartbeat};

use super::registrar::Hands;
use crate::context::{Context, MILLI, Micros, duration};
use crate::database::Database;
use crate::rule::Broken;
use crate::zookeeper::network::Op;

/// The other agents, as they would answer now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Peers {
    /// How many there are.
    pub all: usize,
    /// How many answer.
    pub answering: usize,
    /// How many of those hold their lease.
    pub seeing: usize,
}

/// What is known of the election when it is decided on a fence.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Whether the agent has a znode.
    pub has_znode: bool,
    /// Other candidates in the last reading.
    pub others: usize,
    /// The other agents.
    pub peers: Peers,
}

/// Whether, and how, an agent fences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fencing {
    /// Whether it does.
    pub on: bool,
    /// Whether it asks the others first.
    pub quorum: bool,
}

/// One agent's lease and fence.
#[derive(Debug)]
pub struct Guard {
    fencing: Fencing,
    timeout: Micros,
    broken: Option<Broken>,
    /// The lease.
    pub lease: Lease,
    fence: Fence,
    beat_at: Micros,
    beat: Option<(u32, Micros)>,
    round: Option<Round>,
    /// The round under way, and when it is complete.
    asking: Option<(Micros, Round)>,
    retry_at: Micros,
    /// The action under way ends then.
    acting: Option<(Micros, Due)>,
}

impl Guard {
    /// The guard of an agent that has just been started. `remembered`: its server has a fence of an earlier run.
    #[must_use]
    pub fn new(
        fencing: Fencing,
        timeout: Micros,
        now: Micros,
        remembered: bool,
        broken: Option<Broken>,
    ) -> Self {
        let quorum = fencing.quorum && broken != Some(Broken::FencesAlone);
        let mut fence = Fence::new(quorum, duration(now), duration(timeout));
        if remembered {
            fence.on(Event::Remembered);
        }
        Self {
            fencing,
            timeout,
            broken,
            lease: Lease::new(),
            fence,
            beat_at: now,
            beat: None,
            round: None,
            asking: None,
            retry_at: now,
            acting: None,
        }
    }

    /// Whether the session can be relied on.
    #[must_use]
    pub fn holds(&self, now: Micros) -> bool {
        self.lease.standing(duration(now)) == Standing::Held
    }

    /// Whether there is a fence of its own, or may be.
    #[must_use]
    pub fn is_fencing(&self) -> bool {
        self.fence.why().is_some()
    }

    /// When it has to be woken next. Whoever waits for long looks now and then, and at each heartbeat.
    #[must_use]
    pub fn due(&self, now: Micros) -> Micros {
        let micros = |at: std::time::Duration| at.as_micros() as Micros;
        let seen = self.seen(Known { has_znode: true, others: 0, peers: Peers::default() }, Server::Primary);
        let again = self.fence.look_again(&seen, duration(now)).map_or(Micros::MAX, micros);
        let acting = self.acting.map_or(Micros::MAX, |(at, _)| at);
        let asking = self.asking.map_or(Micros::MAX, |(at, _)| at);
        let retry = if self.retry_at > now { self.retry_at } else { Micros::MAX };
        self.beat_at.max(now + MILLI).min(again).min(acting).min(asking).min(retry)
    }

    fn seen(&self, known: Known, server: Server) -> Seen {
        let Known { has_znode, others, .. } = known;
        Seen { lease: self.lease, has_znode, others, round: self.round, server }
    }

    /// Sends the next heartbeat, if it is due.
    pub fn beat(&mut self, hands: &mut Hands<'_>) {
        let now = hands.net.ctx.now;
        if now >= self.beat_at {
            self.beat_at = now + heartbeat(duration(self.timeout)).as_micros() as Micros;
            if self.beat.is_none() {
                self.beat = Some((hands.client.ask(hands.net, Op::Sync), now));
            }
        }
    }

    /// A session has begun or its link is up: the next heartbeat is due.
    pub fn linked(&mut self, now: Micros) {
        self.beat = None;
        self.beat_at = now;
    }

    /// An answer arrives. Whether it was that to a heartbeat.
    pub fn answered(&mut self, xid: u32, acknowledged: bool) -> bool {
        match self.beat {
            Some((beat, sent)) if beat == xid => {
                self.beat = None;
                if acknowledged {
                    self.lease.renew(duration(sent), duration(self.timeout));
                }
                true
            }
            _ => false,
        }
    }

    /// Sets and lifts the fence as it is due, and asks the others.
    pub fn act(&mut self, known: Known, database: &mut Database, ctx: &mut Context) {
        if !self.fencing.on {
            return;
        }
        if let Some((_, round)) = self.asking.filter(|(at, _)| ctx.now >= *at) {
            self.round = Some(round);
            self.asking = None;
        }
        if let Some((_, due)) = self.acting.filter(|(at, _)| ctx.now >= *at) {
            self.acting = None;
            self.done(due, database, ctx);
        }
        if self.acting.is_some() || ctx.now < self.retry_at || self.is_late(ctx.now) {
            return;
        }
        let server = if database.in_primary_component() { Server::Primary } else { Server::NotPrimary };
        let seen = self.seen(known, server);
        let due = self.fence.due(&seen, duration(ctx.now));
        if self.asking.is_none() && self.fence.asks(&seen, duration(ctx.now)) {
            self.ask(known.peers, ctx);
        }
        match due {
            Due::Set { .. } | Due::Lift => {
                self.acting = Some((ctx.now + ctx.random.between(MILLI, 20 * MILLI), due));
            }
            Due::Leave(why_not) => ctx.say(|| format!("fence: {known:?} left: {why_not:?}")),
            Due::Nothing => {}
        }
    }

    /// Who does not answer is waited for, for an eighth of the session timeout.
    fn ask(&mut self, peers: Peers, ctx: &mut Context) {
        let Peers { all, answering, seeing } = peers;
        let wait = if answering < all { self.timeout / 8 } else { ctx.random.between(MILLI, 20 * MILLI) };
        self.asking = Some((ctx.now + wait, Round { begun: duration(ctx.now), answered: answering, seeing }));
    }

    /// A broken rule waits for a whole session timeout more.
    fn is_late(&self, now: Micros) -> bool {
        let over = |at: std::time::Duration| duration(now) < at + duration(self.timeout);
        self.broken == Some(Broken::FencesLate) && !self.holds(now) && self.lease.expires().is_some_and(over)
    }

    fn done(&mut self, due: Due, database: &mut Database, ctx: &mut Context) {
        let answers = database.check().is_some_and(|answer| answer.is_ok());
        let event = match (due, answers) {
            (Due::Set { .. }, true) => {
                database.fenced = true;
                Event::Set
            }
            (Due::Set { again: false, .. }, false) if ctx.random.between(0, 1) == 0 => Event::NotBegun,
            (Due::Set { .. }, false) => Event::SetFailed,
            (Due::Lift, true) => {
                database.fenced = false;
                Event::Lifted
            }
            _ => Event::LiftFailed,
        };
        ctx.say(|| format!("fence: {due:?} ends with {event:?}"));
        if matches!(event, Event::NotBegun | Event::SetFailed | Event::LiftFailed) {
            self.retry_at = ctx.now + self.timeout / 12;
        }
        self.fence.on(event);
    }

    /// The server was restarted, which lifts every fence.
    pub fn vanished(&mut self) {
        self.fence.on(Event::Vanished);
    }
}
