//! When a server is fenced because its agent is cut off from ZooKeeper, and when the fence is lifted. Pure: what is seen
//! comes in, what to do comes out. Asking the other agents, and setting a fence, is its caller's.
//!
//! An agent whose lease has expired cannot know whether another server is elected. If its own server could still be
//! taken for the primary, it is kept from taking writes before that can happen. Where `fence-quorum` holds, the other agents
//! are asked first, so that a ZooKeeper that has failed for everybody costs nobody its primary:
//!
//! | another agent that answers | Galera | fenced |
//! |---|---|---|
//! | sees ZooKeeper | whatever it says | yes: another can be elected |
//! | sees ZooKeeper, and a third of the session timeout ago none did | whatever it says | not yet: it is coming back for all |
//! | some answer, none sees ZooKeeper | whatever it says | no: ZooKeeper has failed for all of them |
//! | none answers | not in the primary component, or not known | yes: the others may be there, and go on |
//! | none answers | in the primary component | no: the others are not, so they cannot lead |
//! | none answers, and there are others in the election | not used | yes: two servers that take writes would diverge |
//! | nobody else is in the election | not used | no: there is nobody to elect |
//!
//! While ZooKeeper is down as a whole no session expires, and when it is back each has its whole timeout anew: an agent that
//! gets its own back a little later than another has time for it. While nobody sees it they are asked every twelfth of the
//! session timeout, so that a fifth of it at least is left from the first that does.
//!
//! Without `fence-quorum` it is fenced in every case.

mod clock;
mod rule;

use std::time::Duration;

use crate::lease::{Lease, Standing};
use clock::Clock;

pub use rule::{Peers, Ruling, Server, Why, WhyNot, rule};

/// What came of asking every other agent that is known once, each in its time. Where none is known, it comes of it that
/// none answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// When they were asked.
    pub begun: Duration,
    /// How many have answered.
    pub answered: usize,
    /// How many of those hold their own lease: they see ZooKeeper.
    pub seeing: usize,
}

/// What is known when it is decided.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The lease on the session.
    pub lease: Lease,
    /// Whether a znode may lead clients to the server, also one that the agent does not know of
    /// (`Registration::may_lead`).
    pub has_znode: bool,
    /// Other candidates in the last reading of the election.
    pub others: usize,
    /// The last round of asking the other agents that is complete.
    pub round: Option<Round>,
    /// What the server says of Galera.
    pub server: Server,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// The server is not fenced, for this reason, though the agent is cut off.
    Leave(WhyNot),
    /// Set the fence: answered by `Event::Set`, `Event::FoundSet`, `Event::Remembered`, `Event::NotBegun` or
    /// `Event::SetFailed`.
    Set {
        /// Why.
        why: Why,
        /// Whether an earlier attempt may have set it, so that one that is found is this agent's.
        again: bool,
    },
    /// Lift the fence: answered by `Event::Lifted` or `Event::LiftFailed`.
    Lift,
}

/// What became of a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It is set.
    Set,
    /// Somebody else has set it already.
    FoundSet,
    /// Nothing was done that could have set it: the server was not reached.
    NotBegun,
    /// It could not be set, or it is not known whether it is.
    SetFailed,
    /// It is lifted.
    Lifted,
    /// It could not be lifted.
    LiftFailed,
    /// The server has a fence that an earlier run of the agent has set.
    Remembered,
    /// The server was restarted, which lifts every fence.
    Vanished,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is none of ours.
    Open,
    /// It is being set. `again`: an earlier attempt may have set it.
    Setting { why: Why, again: bool },
    /// An attempt failed, and may have set it all the same.
    Uncertain,
    /// It is ours.
    Ours { why: Why },
    /// It is somebody else's, found when ours should have been set.
    Others,
    /// It is being lifted.
    Lifting { why: Why },
}

/// Follows the fence of one server.
#[derive(Debug)]
pub struct Fence {
    /// Whether the other agents are asked.
    quorum: bool,
    /// When the agent was started, and the session timeout it asks for: it may have a znode of an earlier run, whose lease it
    /// does not know.
    started: Duration,
    asks_for: Duration,
    state: State,
    /// Whether the agent has had a znode since its lease was held last.
    may_lead: bool,
    /// When the others were asked last that answered, and of whom none saw ZooKeeper, since the lease was held last.
    nobody_saw: Option<Duration>,
}

impl Fence {
    /// No fence, for an agent that was started `now` and asks for this session timeout.
    #[must_use]
    pub fn new(quorum: bool, now: Duration, asks_for: Duration) -> Self {
        Self { quorum, started: now, asks_for, state: State::Open, may_lead: true, nobody_saw: None }
    }

    /// Whether the other agents are asked, from now on.
    pub fn ask_others(&mut self, quorum: bool) {
        self.quorum = quorum;
    }

    /// Why there is a fence of the agent's, also one that is being set or lifted, or may be set.
    #[must_use]
    pub fn why(&self) -> Option<Why> {
        match self.state {
            State::Setting { why, .. } | State::Ours { why } | State::Lifting { why } => Some(why),
            State::Uncertain => Some(Why::Unsure),
            State::Open | State::Others => None,
        }
    }

    /// Whether the server certainly takes no writes because of this agent.
    #[must_use]
    pub fn is_set(&self) -> bool {
        matches!(self.state, State::Ours { .. })
    }

    /// What to do now. A fence that is to be set or lifted counts as begun.
    pub fn due(&mut self, seen: &Seen, now: Duration) -> Due {
        let clock = self.clock(seen.lease);
        let standing = match seen.lease.standing(now) {
            Standing::Never if now >= clock.expires => Standing::Expired,
            standing => standing,
        };
        self.may_lead = seen.has_znode || (self.may_lead && standing != Standing::Held);
        self.nobody_saw = self.nobody_saw.filter(|_| standing != Standing::Held);
        match (self.state, standing) {
            (State::Ours { why }, Standing::Held) => self.lift(why),
            (State::Uncertain, Standing::Held) => self.lift(Why::Unsure),
            (State::Others, Standing::Held) => {
                self.state = State::Open;
                Due::Nothing
            }
            (State::Open | State::Uncertain, _) if self.may_lead => self.cut_off(seen, standing, now),
            _ => Due::Nothing,
        }
    }

    /// Whether the other agents are to be asked now, unless that is under way: in time for their answers to be there when
    /// the lease expires, and often while none of them sees ZooKeeper, so that it shows when it comes back.
    #[must_use]
    pub fn asks(&self, seen: &Seen, now: Duration) -> bool {
        let clock = self.clock(seen.lease);
        let wondering = matches!(self.state, State::Open | State::Uncertain) && self.may_lead && self.quorum;
        wondering && now >= clock.others_count_from && seen.round.is_none_or(|round| now >= clock.old(round))
    }

    /// When `due` or `asks` may answer otherwise though nothing has happened.
    #[must_use]
    pub fn look_again(&self, seen: &Seen, now: Duration) -> Option<Duration> {
        let clock = self.clock(seen.lease);
        let (old, stale) = (seen.round.map(|r| clock.old(r)), seen.round.map(|r| clock.stale(r)));
        let times = [Some(clock.others_count_from), Some(clock.expires), old, stale, self.is_back_at(clock)];
        times.into_iter().flatten().filter(|time| *time > now).min()
    }

    /// Takes in what became of an action.
    pub fn on(&mut self, event: Event) {
        self.state = match (event, self.state) {
            (Event::Set, State::Setting { why, .. }) => State::Ours { why },
            (Event::FoundSet, State::Setting { .. }) => State::Others,
            (Event::NotBegun, State::Setting { again: false, .. }) => State::Open,
            (Event::NotBegun | Event::SetFailed, State::Setting { .. }) => State::Uncertain,
            (Event::Lifted, State::Lifting { .. }) => State::Open,
            (Event::LiftFailed, State::Lifting { why }) => State::Ours { why },
            (Event::Remembered, State::Open | State::Setting { .. } | State::Others) => {
                State::Ours { why: Why::Remembered }
            }
            (
                Event::Vanished,
                State::Ours { .. } | State::Uncertain | State::Others | State::Lifting { .. },
            ) => State::Open,
            (_, state) => state,
        }
    }

    fn lift(&mut self, why: Why) -> Due {
        self.state = State::Lifting { why };
        Due::Lift
    }

    fn cut_off(&mut self, seen: &Seen, standing: Standing, now: Duration) -> Due {
        let clock = self.clock(seen.lease);
        let round = seen.round.filter(|round| clock.counts(*round, now));
        if let Some(Round { begun, answered: 1.., seeing: 0 }) = round {
            self.nobody_saw = Some(begun);
        }
        let coming_back = self.is_back_at(clock).is_some_and(|back| now < back);
        match (standing, round) {
            (_, Some(Round { seeing: 1.., .. })) if self.quorum && coming_back => Due::Nothing,
            (Standing::Expired, _) if !self.quorum => self.judge(Ruling::Fence(Why::Alone)),
            (Standing::Expired, Some(Round { answered, seeing, .. })) => {
                self.judge(rule(Peers { others: seen.others, answered, seeing }, seen.server))
            }
            _ => Due::Nothing,
        }
    }

    /// Until when another agent that sees ZooKeeper may only have got it back a little earlier than this one.
    fn is_back_at(&self, clock: Clock) -> Option<Duration> {
        self.nobody_saw.map(|asked| asked + clock.comes_back_within)
    }

    fn judge(&mut self, ruling: Ruling) -> Due {
        match ruling {
            Ruling::Fence(why) => {
                let again = self.state == State::Uncertain;
                self.state = State::Setting { why, again };
                Due::Set { why, again }
            }
            Ruling::Leave(why_not) => Due::Leave(why_not),
        }
    }

    /// An agent that has not had a lease yet may have a znode of its earlier run, which kept the session up until this one
    /// was started at the latest.
    fn clock(&self, lease: Lease) -> Clock {
        let mut lease = lease;
        if lease.timeout().is_none() {
            lease.renew(self.started, self.asks_for);
        }
        Clock::of(lease)
    }
}
