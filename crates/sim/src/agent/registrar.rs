//! The agent's registrar and its session (`src/registrar/mod.rs`, `src/agent/session.rs`, `src/agent/requests.rs`) over
//! the model: one request at a time, the repetition of what failed after a pause, a reading at each event and every 10 s.
//! Which request, is `capitana_core::registration`'s.

use std::time::Duration;

use capitana_core::backoff::Backoff;
use capitana_core::candidacy::Wish;
use capitana_core::registration::{Event, Registration};

use crate::client::{Client, Net, Told};
use crate::context::{Micros, SECOND};
use crate::reading::{Progress, Reading};
use crate::rule::Broken;
use crate::zookeeper::network::Reply;

/// `REREAD` of `src/agent/session.rs`.
pub(super) const REREAD: Micros = 10 * SECOND;
/// `REQUEST_LIMIT` of `src/agent/session.rs`.
const REQUEST_LIMIT: Micros = 60 * SECOND;
/// `RETRY` of `src/registrar/mod.rs`.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));

#[derive(Debug)]
enum Phase {
    /// Waits before the next attempt to open a session.
    Waiting(Micros),
    Opening,
    Serving,
}

/// The request that is out.
#[derive(Debug)]
pub(super) enum Out {
    Look(Reading),
    Path(u32),
    Create(u32),
    Delete(u32),
}

/// Keeps one znode.
#[derive(Debug)]
pub struct Registrar {
    /// The logic.
    pub registration: Registration,
    /// The node, which stands in the znode's data.
    pub node: usize,
    /// The GUID in the data, which outlives the process.
    pub guid: u32,
    /// When it last asked for its znode's creation.
    pub created_at: Option<Micros>,
    pub(super) broken: Option<Broken>,
    phase: Phase,
    pub(super) out: Option<Out>,
    retry_at: Option<Micros>,
    pub(super) reread_at: Micros,
    give_up_at: Micros,
    pub(super) watching: bool,
    backoff: Backoff,
    /// The numbers of znodes by their names.
    pub(super) names: Vec<(String, i32)>,
    /// Whether the first candidate of the last reading was this agent's.
    pub(super) first: Option<i32>,
    /// Other candidates in the last reading.
    pub others: usize,
}

/// The library and everything behind it.
pub struct Hands<'a> {
    /// The library.
    pub client: &'a mut Client,
    /// The rest.
    pub net: &'a mut Net,
}

impl Registrar {
    /// A registrar whose process has just been started.
    #[must_use]
    pub fn new(node: usize, guid: u32, seed: u64, broken: Option<Broken>) -> Self {
        Self {
            registration: Registration::new(),
            node,
            guid,
            created_at: None,
            broken,
            phase: Phase::Waiting(0),
            out: None,
            retry_at: None,
            reread_at: 0,
            give_up_at: 0,
            watching: false,
            backoff: Backoff::new(RETRY.0, RETRY.1, seed),
            names: Vec::new(),
            first: None,
            others: 0,
        }
    }

    /// Whether a znode may lead clients to its server.
    #[must_use]
    pub fn may_lead(&self) -> bool {
        match self.broken {
            Some(Broken::FencesOnlyWhatItKnows) => self.registration.znode().is_some(),
            _ => self.registration.may_lead(),
        }
    }

    /// Whether its znode was the first of the last reading.
    #[must_use]
    pub fn leads(&self) -> bool {
        let first = self.first.and_then(|first| self.names.iter().find(|(_, number)| *number == first));
        match (self.registration.znode(), first) {
            (Some(znode), Some((name, _))) => znode.name == *name,
            _ => false,
        }
    }

    /// When it has to be woken next.
    #[must_use]
    pub fn due(&self) -> Micros {
        match self.phase {
            Phase::Waiting(until) => until,
            Phase::Opening => Micros::MAX,
            Phase::Serving => {
                let give_up = self.out.as_ref().map_or(Micros::MAX, |_| self.give_up_at);
                self.reread_at.min(give_up).min(self.retry_at.unwrap_or(Micros::MAX))
            }
        }
    }

    /// Whether there is a session.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        matches!(self.phase, Phase::Serving)
    }

    /// Does what is due, and what is wished.
    pub fn on_time(&mut self, wish: Wish, hands: &mut Hands<'_>) {
        let now = hands.net.ctx.now;
        match self.phase {
            Phase::Waiting(until) if now >= until => {
                self.phase = Phase::Opening;
                // Goes on with the session before, which a process that was killed has kept in a file.
                let last = hands.client.session;
                return hands.client.open(hands.net, last);
            }
            Phase::Waiting(_) | Phase::Opening => return,
            Phase::Serving => {}
        }
        if self.out.is_some() && now >= self.give_up_at {
            return self.over(hands);
        }
        if self.retry_at.is_some_and(|at| now >= at) {
            self.retry_at = None;
        }
        if now >= self.reread_at {
            self.reread_at += REREAD;
            self.recheck();
        }
        self.step(wish, hands);
    }

    fn recheck(&mut self) {
        self.watching = false;
        self.registration.on(Event::Recheck);
    }

    /// Takes in what the library tells.
    pub fn on_told(&mut self, told: Told, wish: Wish, hands: &mut Hands<'_>) {
        let now = hands.net.ctx.now;
        match told {
            Told::Opened(session) => {
                self.phase = Phase::Serving;
                self.out = None;
                self.retry_at = None;
                self.watching = false;
                self.reread_at = now + REREAD;
                self.registration.on(Event::SessionBegan(session));
            }
            Told::NotOpened => self.phase = Phase::Waiting(now + self.pause()),
            Told::LinkUp => drop(self.registration.on(Event::LinkUp)),
            Told::LinkDown => drop(self.registration.on(Event::LinkDown)),
            Told::Over => return self.over(hands),
            Told::Changed if self.watching => self.recheck(),
            Told::Changed => {}
            Told::Answered(xid, reply) => self.on_answer(xid, reply, hands),
        }
        self.step(wish, hands);
    }

    fn pause(&mut self) -> Micros {
        self.backoff.wait().as_micros() as Micros
    }

    /// The session cannot be used any more.
    fn over(&mut self, hands: &mut Hands<'_>) {
        hands.client.leave(hands.net);
        self.out = None;
        self.registration.on(Event::SessionOver);
        self.phase = Phase::Waiting(hands.net.ctx.now + self.pause());
    }

    fn on_answer(&mut self, xid: u32, reply: Option<Reply>, hands: &mut Hands<'_>) {
        let Some(out) = self.out.take() else { return };
        let event = match (out, reply) {
            (Out::Look(mut reading), reply) => match reading.on_answer(hands.client, hands.net, xid, reply) {
                Progress::Pending => {
                    self.out = Some(Out::Look(reading));
                    return;
                }
                Progress::Done(found) => Some(self.seen(&found, hands.client.session, hands.net.ctx.now)),
                Progress::Failed => None,
            },
            (Out::Path(asked) | Out::Create(asked) | Out::Delete(asked), _) if asked != xid => None,
            (Out::Path(_), Some(Reply::Done)) => Some(Event::PathReady),
            (Out::Create(_), Some(Reply::Znode(Some(znode)))) => Some(Event::Created(self.own(znode))),
            (Out::Delete(_), Some(Reply::Done)) => Some(Event::Deleted),
            _ => None,
        };
        match event {
            Some(event) => {
                if !matches!(event, Event::Seen { .. }) {
                    self.backoff.reset();
                }
                self.registration.on(event);
            }
            None => {
                self.retry_at = Some(hands.net.ctx.now + self.pause());
                self.registration.on(Event::Failed);
            }
        }
    }

    fn step(&mut self, wish: Wish, hands: &mut Hands<'_>) {
        if !matches!(self.phase, Phase::Serving) {
            return;
        }
        let wanted = match wish {
            Wish::Register => true,
            Wish::Keep => self.registration.znode().is_some(),
            Wish::Withdraw => false,
        };
        if self.registration.is_wanted() != wanted {
            self.retry_at = None;
            self.registration.on(Event::Wanted(wanted));
        }
        if self.out.is_some() || self.retry_at.is_some() {
            return;
        }
        if let Some(request) = self.registration.next_request() {
            self.give_up_at = hands.net.ctx.now + REQUEST_LIMIT;
            self.out = self.carry_out(request, hands);
        }
    }
}
