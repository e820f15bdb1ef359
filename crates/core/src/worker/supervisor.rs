//! What is done with the command: a pure state machine of whose turn it is, the lease, and what became of the command.
//! Starting and ending processes is its caller's, and so is the znode, which it says whether to keep.
//!
//! - The command is started only while it is this candidate's turn and the lease is held.
//! - The place in line is given up only when nothing of the command is left.
//! - A command that has lost its turn is killed: another may have it.

use std::time::Duration;

use super::limits::Limits;
use super::restart::{Exit, Next, Policy};
use crate::Epoch;
use crate::candidacy::Wish;
use crate::lease::{Lease, Standing};

/// How a command is kept.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What follows when it ends by itself.
    pub policy: Policy,
    /// How long it may take to end when it is asked to.
    pub grace: Duration,
    /// Whether it is run once and no more, however it ends.
    pub once: bool,
}

/// What the caller has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Start the command with this fencing token, and with these limits.
    Start(Epoch, Limits),
    /// Ask everything of it to end, and kill what is left after this time.
    End(Duration),
    /// Kill all of it.
    Kill,
}

/// Why nothing more is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The caller was asked to stop.
    Stopped,
    /// The command has ended like this, and is not run again.
    Done(Exit),
    /// It ended when the turn was lost or in doubt, and is not run again.
    Interrupted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing runs. It may begin at this time.
    Waiting { from: Duration },
    /// The command runs.
    Running { epoch: Epoch, since: Duration },
    /// It was told to end; `killed`: it was told so by force. `lost`: the turn is lost or in doubt.
    Ending { epoch: Epoch, killed: bool, lost: bool },
    /// Nothing runs, and the place is given up: until this time, and until it is known to be gone. Its deletion may have been
    /// carried out and not answered, so that the turn, as far as is known here, is another's already.
    Leaving { until: Duration },
    /// Nothing runs, and nothing will.
    Over(End),
}

/// Follows one command.
#[derive(Debug)]
pub struct Supervisor {
    rules: Rules,
    turn: Option<Epoch>,
    lease: Lease,
    stopping: bool,
    hurried: bool,
    phase: Phase,
}

impl Supervisor {
    /// Nothing runs yet, and it is not its turn.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            turn: None,
            lease: Lease::new(),
            stopping: false,
            hurried: false,
            phase: Phase::Waiting { from: Duration::ZERO },
        }
    }

    /// Whether it is this candidate's turn, with which token, and the lease on the session.
    pub fn on_turn(&mut self, turn: Option<Epoch>, lease: Lease) {
        (self.turn, self.lease) = (turn, lease);
    }

    /// The caller is asked to stop; asked again, it does not wait for the command.
    pub fn on_stop(&mut self) {
        self.hurried = self.stopping;
        self.stopping = true;
    }

    /// Nothing of the command is left. Where its time was over, or its turn lost, it is not known to have ended by itself,
    /// though nobody here has told it to: the guard ends it while the caller stands still.
    pub fn on_ended(&mut self, exit: Exit, now: Duration) {
        self.phase = match self.phase {
            Phase::Running { epoch, since } if self.turn == Some(epoch) && !self.in_doubt(now) => {
                self.after(exit, now, since)
            }
            Phase::Running { .. } | Phase::Ending { lost: true, .. } if self.rules.once => {
                Phase::Over(End::Interrupted)
            }
            Phase::Running { .. } | Phase::Ending { .. } => Phase::Waiting { from: now },
            other => other,
        };
    }

    fn after(&mut self, exit: Exit, now: Duration, since: Duration) -> Phase {
        if self.rules.once {
            return Phase::Over(End::Done(exit));
        }
        match self.rules.policy.after(exit, now.saturating_sub(since)) {
            Next::Again(pause) => Phase::Waiting { from: now + pause },
            Next::StepDown(pause) => Phase::Leaving { until: now + pause },
            Next::Done(exit) => Phase::Over(End::Done(exit)),
        }
    }

    /// What is to be done now; each order is given once.
    pub fn order(&mut self, now: Duration) -> Option<Order> {
        match self.phase {
            Phase::Waiting { .. } | Phase::Leaving { .. } if self.stopping => {
                self.phase = Phase::Over(End::Stopped);
                None
            }
            Phase::Waiting { from } if now >= from => self.start(now),
            Phase::Leaving { until } if now >= until && self.turn.is_none() => {
                self.phase = Phase::Waiting { from: now };
                None
            }
            Phase::Running { epoch, .. } => self.end(epoch, now),
            Phase::Ending { epoch, killed: false, lost } if self.must_die(epoch, now) => {
                self.phase = Phase::Ending { epoch, killed: true, lost: lost || !self.stopping };
                Some(Order::Kill)
            }
            _ => None,
        }
    }

    fn start(&mut self, now: Duration) -> Option<Order> {
        let (epoch, limits) = (self.turn?, Limits::of(&self.lease)?);
        if self.lease.standing(now) != Standing::Held {
            return None;
        }
        self.phase = Phase::Running { epoch, since: now };
        Some(Order::Start(epoch, limits))
    }

    fn end(&mut self, epoch: Epoch, now: Duration) -> Option<Order> {
        if self.must_die(epoch, now) {
            self.phase = Phase::Ending { epoch, killed: true, lost: !self.hurried };
            return Some(Order::Kill);
        }
        let doubted = self.in_doubt(now);
        if !doubted && !self.stopping {
            return None;
        }
        self.phase = Phase::Ending { epoch, killed: false, lost: doubted };
        Some(Order::End(self.rules.grace))
    }

    fn in_doubt(&self, now: Duration) -> bool {
        Limits::of(&self.lease).is_none_or(|limits| now >= limits.end_at)
    }

    fn must_die(&self, epoch: Epoch, now: Duration) -> bool {
        let expired = Limits::of(&self.lease).is_none_or(|limits| now >= limits.kill_at);
        self.hurried || expired || self.turn != Some(epoch)
    }

    /// When to look again though nothing happens. None: not before something does. What is due already waits for
    /// something else than the time.
    #[must_use]
    pub fn wake_at(&self, now: Duration) -> Option<Duration> {
        let limits = Limits::of(&self.lease);
        let at = match self.phase {
            Phase::Waiting { from } => Some(from),
            Phase::Leaving { until } => Some(until),
            Phase::Running { .. } => limits.map(|limits| limits.end_at),
            Phase::Ending { killed: false, .. } => limits.map(|limits| limits.kill_at),
            Phase::Ending { killed: true, .. } | Phase::Over(_) => None,
        };
        at.filter(|at| *at > now)
    }

    /// What is to become of the znode.
    #[must_use]
    pub fn wish(&self) -> Wish {
        match self.phase {
            Phase::Waiting { .. } if self.stopping => Wish::Withdraw,
            Phase::Waiting { .. } => Wish::Register,
            Phase::Running { .. } | Phase::Ending { .. } => Wish::Keep,
            Phase::Leaving { .. } | Phase::Over(_) => Wish::Withdraw,
        }
    }

    /// Whether nothing more is to be done, and why.
    #[must_use]
    pub fn end_of_all(&self) -> Option<End> {
        match self.phase {
            Phase::Over(end) => Some(end),
            _ => None,
        }
    }

    /// Whether the command may run for as long as the lease goes on: while it runs, and also while it ends because the caller
    /// was asked to stop. One that is ended for another reason has the time that it was given last, and no more. Where the
    /// turn is not this command's any more, the lease may be that of another session.
    #[must_use]
    pub fn lasts_with_the_lease(&self) -> bool {
        match self.phase {
            Phase::Running { epoch, .. } | Phase::Ending { epoch, killed: false, lost: false } => {
                self.turn == Some(epoch)
            }
            _ => false,
        }
    }
}
