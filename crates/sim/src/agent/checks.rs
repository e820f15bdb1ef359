//! The agent's checks of its server (`src/agent/poll.rs`, `src/agent/wire.rs`, `src/agent/monitor.rs`) over the model:
//! one check every interval, waited for further if it is not answered, and the end of the long-lived connection.
//! What they mean is `capitana_core::health`'s.

use capitana_core::candidacy::Fitness;
use capitana_core::health::{Event, Health, Rules};

use crate::context::{Context, MILLI, Micros, duration};
use crate::database::Database;

const RULES: Rules = Rules::DEFAULT;
/// Time between two checks.
const INTERVAL: Micros = RULES.interval.as_micros() as Micros;

/// The checks of one server.
#[derive(Debug)]
pub struct Checks {
    node: usize,
    health: Health,
    /// Whether there has been no verdict yet.
    undecided: bool,
    /// The long-lived connection is open.
    wire: bool,
    next_at: Micros,
    /// The check that is out: its number, and when it was sent.
    out: Option<(u32, Micros)>,
    number: u32,
    /// When the last check was sent that passed.
    pub passed_at: Micros,
}

impl Checks {
    /// The checks of an agent that has just been started.
    #[must_use]
    pub fn new(node: usize, now: Micros) -> Self {
        Self {
            node,
            health: Health::new(RULES, duration(now)),
            undecided: true,
            wire: false,
            next_at: now,
            out: None,
            number: 0,
            passed_at: now,
        }
    }

    /// How old the last check that passed may be when the agent asks for its znode: as long as the next ones would take
    /// to show that the server is unfit.
    pub const NEWS_LAST: Micros = RULES.fall as Micros * INTERVAL + RULES.limit.as_micros() as Micros;

    /// What is known of the server. `trusting`: whatever the verdict's age.
    #[must_use]
    pub fn fitness(&self, now: Micros, trusting: bool) -> Fitness {
        let verdict = self.health.verdict();
        match (verdict.fit, self.undecided) {
            (true, _) if !trusting && !verdict.proof.holds_at(duration(now)) => Fitness::Outdated,
            (true, _) => Fitness::Fit { lasting: duration(now).saturating_sub(verdict.since) },
            (false, true) => Fitness::Undecided,
            (false, false) => Fitness::Unfit,
        }
    }

    /// When it has to be woken next.
    #[must_use]
    pub fn due(&self) -> Micros {
        self.next_at
    }

    /// Does what is due: counts a check that is not answered, or makes the next one.
    pub fn on_time(&mut self, database: &Database, ctx: &mut Context) {
        if ctx.now < self.next_at {
            return;
        }
        self.next_at = ctx.now + INTERVAL;
        if !self.wire {
            self.reconnect(database, ctx.now);
        }
        if self.out.is_some() {
            self.on(Event::PollFailed("no answer".to_owned()), ctx.now);
            // A late answer frees the connection and counts for nothing.
            if database.check().is_some() {
                self.out = None;
            }
            return;
        }
        self.number += 1;
        self.out = Some((self.number, ctx.now));
        let wait = ctx.random.between(200, 3 * MILLI);
        ctx.after(wait, crate::context::Event::Checked { node: self.node, check: self.number });
    }

    fn reconnect(&mut self, database: &Database, now: Micros) {
        if database.is_down() {
            self.on(Event::Crashed("connection refused".to_owned()), now);
        } else if database.check().is_some() {
            self.wire = true;
            self.on(Event::Answered, now);
        }
    }

    /// The answer to a check arrives, if there is one.
    pub fn answered(&mut self, number: u32, database: &Database, now: Micros) {
        let Some((out, asked)) = self.out else { return };
        if out != number {
            return;
        }
        match database.check() {
            Some(Ok(reading)) => {
                if self.health.objection(&reading).is_none() {
                    self.passed_at = asked;
                }
                self.on(Event::Polled { reading, asked: duration(asked) }, now);
            }
            Some(Err(cause)) => self.on(Event::PollFailed(cause), now),
            None => return,
        }
        self.out = None;
    }

    /// The long-lived connection has ended.
    pub fn wire_ended(&mut self, database: &Database, now: Micros) {
        self.wire = false;
        self.reconnect(database, now);
    }

    fn on(&mut self, event: Event, now: Micros) {
        self.health.on(event, duration(now));
        self.undecided &= self.health.verdict().is_undecided();
    }
}
