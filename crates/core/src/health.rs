//! Whether the local server is fit to lead: a pure state machine over checks and the state of the long-lived
//! connection. It owns `fall` and `rise`. Asking the server, and acting on the verdict, is done elsewhere.
//!
//! - A server becomes fit after `rise` passed checks in a row, also after the agent's start.
//! - It becomes unfit at once when it has crashed, or states itself that clients cannot write (`Unfit::is_definite`);
//!   otherwise after `fall` checks in a row that failed or found something.

mod reading;

use std::fmt;
use std::time::Duration;

pub use reading::{Reading, STATUS_NAMES, Unfit, VARIABLE_NAMES};

/// How many checks it takes, and what is asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Checks in a row that did not pass and make a fit server unfit; 0 counts as 1.
    pub fall: u32,
    /// Checks in a row that passed and make an unfit server fit; 0 counts as 1.
    pub rise: u32,
    /// Whether a donor (`wsrep_local_state` 2) may lead.
    pub donor_may_lead: bool,
}

/// What was seen of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A check was answered in time. `asked` is when it was sent, on the clock of `now`.
    Polled {
        /// What it read.
        reading: Reading,
        /// When it was sent.
        asked: Duration,
    },
    /// A check was not answered in time, or with an error: with the cause for people.
    PollFailed(String),
    /// The long-lived connection is closed and the server refuses another one: with the cause for people.
    Crashed(String),
    /// The long-lived connection is open again.
    Answered,
}

/// What the agent says of its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the server may lead.
    pub fit: bool,
    /// Why, for people.
    pub reason: Reason,
    /// Since when `fit` is as it is, on the clock of `now`.
    pub since: Duration,
}

impl Verdict {
    /// Whether too few checks have been made to tell.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        matches!(
            self.reason,
            Reason::Unfit(Unfit::NotChecked) | Reason::Rising { after: Unfit::NotChecked, .. }
        )
    }
}

/// Why a verdict is as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The last check passed.
    Passed,
    /// Something speaks against the server.
    Unfit(Unfit),
    /// A fit server's last checks did not pass, but not often enough.
    Doubtful {
        /// What the last one found.
        finding: Unfit,
        /// How many in a row did not pass.
        bad: u32,
        /// How many it takes.
        fall: u32,
    },
    /// An unfit server passes checks, but has not passed enough.
    Rising {
        /// What made it unfit.
        after: Unfit,
        /// How many in a row passed.
        good: u32,
        /// How many it takes.
        rise: u32,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => write!(f, "every check passed"),
            Self::Unfit(unfit) => unfit.fmt(f),
            Self::Doubtful { finding, bad, fall } => write!(f, "still fit, check {bad} of {fall}: {finding}"),
            Self::Rising { after, good, rise } => {
                write!(f, "{good} of {rise} checks passed; before that: {after}")
            }
        }
    }
}

/// What an event changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing that anybody acts on.
    None,
    /// The server may lead from now on.
    BecameFit,
    /// The server must not lead any more.
    BecameUnfit(Unfit),
}

/// Follows one server.
#[derive(Debug)]
pub struct Health {
    rules: Rules,
    verdict: Verdict,
    /// What made the server unfit, or spoke against it last.
    finding: Unfit,
    good: u32,
    bad: u32,
    crashed_at: Option<Duration>,
}

impl Health {
    /// A server that has not been checked yet, and is not fit until it has been.
    #[must_use]
    pub fn new(rules: Rules, now: Duration) -> Self {
        let finding = Unfit::NotChecked;
        let verdict = Verdict { fit: false, reason: Reason::Unfit(finding.clone()), since: now };
        Self { rules, verdict, finding, good: 0, bad: 0, crashed_at: None }
    }

    /// The verdict as of the last event.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Takes an event in; `now` is the caller's monotonic clock.
    pub fn on(&mut self, event: Event, now: Duration) -> Change {
        match event {
            Event::Polled { asked, .. } if self.crashed_at.is_some_and(|at| asked <= at) => Change::None,
            Event::Polled { reading, .. } => match reading.objection(self.rules.donor_may_lead) {
                None => self.passed(now),
                Some(finding) => self.failed(finding, now),
            },
            Event::PollFailed(cause) => self.poll_failed(cause, now),
            Event::Crashed(cause) => {
                self.crashed_at = Some(now);
                self.failed(Unfit::Crashed(cause), now)
            }
            Event::Answered => self.answered(),
        }
    }

    /// After a crash the failed checks that follow it say nothing new, and "crashed" is the better reason.
    fn poll_failed(&mut self, cause: String, now: Duration) -> Change {
        let finding = match &self.finding {
            crashed @ Unfit::Crashed(_) if !self.verdict.fit => crashed.clone(),
            _ => Unfit::CheckFailed(cause),
        };
        self.failed(finding, now)
    }

    /// Only checks make a server fit: one that answers may still be recovering or joining.
    fn answered(&mut self) -> Change {
        if !self.verdict.fit && self.good == 0 && matches!(self.finding, Unfit::Crashed(_)) {
            self.finding = Unfit::NotChecked;
            self.verdict.reason = Reason::Unfit(Unfit::NotChecked);
        }
        Change::None
    }

    fn passed(&mut self, now: Duration) -> Change {
        self.bad = 0;
        self.good = self.good.saturating_add(1);
        if self.verdict.fit {
            self.verdict.reason = Reason::Passed;
            return Change::None;
        }
        if self.good >= self.rules.rise {
            self.verdict = Verdict { fit: true, reason: Reason::Passed, since: now };
            return Change::BecameFit;
        }
        self.verdict.reason =
            Reason::Rising { after: self.finding.clone(), good: self.good, rise: self.rules.rise };
        Change::None
    }

    fn failed(&mut self, finding: Unfit, now: Duration) -> Change {
        self.good = 0;
        self.bad = self.bad.saturating_add(1);
        self.finding = finding.clone();
        if !self.verdict.fit {
            self.verdict.reason = Reason::Unfit(finding);
            return Change::None;
        }
        if finding.is_definite() || self.bad >= self.rules.fall {
            self.verdict = Verdict { fit: false, reason: Reason::Unfit(finding.clone()), since: now };
            return Change::BecameUnfit(finding);
        }
        self.verdict.reason = Reason::Doubtful { finding, bad: self.bad, fall: self.rules.fall };
        Change::None
    }
}
