//! Whether the local server is fit to lead: a pure state machine over checks, commits of the agent's own and the state
//! of the long-lived connection. It owns `fall` and `rise`. Asking the server, and acting on the verdict, is done
//! elsewhere.
//!
//! - A server becomes fit after `rise` passed checks in a row, also after the agent's start.
//! - It becomes unfit at once when it has crashed, or states itself that clients cannot write (`Unfit::is_definite`);
//!   otherwise after `fall` checks in a row that failed or found something, or `fall` commits in a row that hang.
//! - A server that has no connection left for the agent keeps its verdict for a while: it lives.
//! - A verdict holds for so long after the last passed check was sent (`Proof`).

mod commit;
mod proof;
mod reading;
mod rules;
mod unfit;
mod verdict;

use std::time::Duration;

pub use commit::{Canary, Commit, Local};
pub use proof::Proof;
pub use reading::{Reading, STATUS_NAMES, VARIABLE_NAMES};
pub use rules::{Galera, Rules};
pub use unfit::Unfit;
pub use verdict::{Reason, Verdict};

/// How long a server may have no connection left for the agent until that counts as failed checks. A server that is full
/// serves those it has; another primary would only be filled next. For ever would leave a server in charge that nobody can
/// look at.
const BLIND: Duration = Duration::from_secs(300);

/// What was seen of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one is made at a time, and taken in at once")]
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
    /// The server said in time that it has no connection left (errors 1040 and 1203): with its words.
    Full(String),
    /// What became of a commit of the agent's own. One that hangs is told of again and again.
    Committed(Commit),
    /// The long-lived connection is closed and the server refuses another one: with the cause for people.
    Crashed(String),
    /// The long-lived connection is open again.
    Answered,
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
    /// Checks in a row that did not pass.
    bad: u32,
    /// Commits in a row that spoke against the server. While there is one, no check speaks for it.
    uncommitted: u32,
    crashed_at: Option<Duration>,
    /// Since when the server has no connection left.
    full_since: Option<Duration>,
    /// Whether it has ever said that it is a Galera node.
    was_galera: bool,
    /// `wsrep_last_committed` of the last check, and whether it had moved since the one before.
    last_committed: Option<String>,
    moved: bool,
    /// Whether the last check passed.
    passed: bool,
}

impl Health {
    /// A server that has not been checked yet, and is not fit until it has been.
    #[must_use]
    pub fn new(rules: Rules, now: Duration) -> Self {
        let finding = Unfit::NotChecked;
        let reason = Reason::Unfit(finding.clone());
        let proof = Proof::new(now, rules.lasts());
        Self {
            rules,
            verdict: Verdict { fit: false, reason, since: now, proof },
            finding,
            good: 0,
            bad: 0,
            uncommitted: 0,
            crashed_at: None,
            full_since: None,
            was_galera: false,
            last_committed: None,
            moved: false,
            passed: false,
        }
    }

    /// The server has said to an earlier run of the agent that it is a Galera node.
    pub fn recall_galera(&mut self) {
        self.was_galera = true;
    }

    /// Judges by these rules from now on. What was counted so far counts on, and nothing changes before the next event.
    pub fn follow(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Forgets commits that spoke against the server: there will be none any more that could speak for it.
    pub fn forget_commits(&mut self) {
        self.uncommitted = 0;
    }

    /// The verdict as of the last event.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// What a reading says against the server, under these rules.
    #[must_use]
    pub fn objection(&self, reading: &Reading) -> Option<Unfit> {
        let galera = match self.rules.galera {
            Galera::Auto => self.was_galera || reading.is_galera(),
            Galera::On => true,
            Galera::Off => false,
        };
        if galera { reading.objection(self.rules.donor_may_lead) } else { reading.objection_to_plain() }
    }

    /// Which commit to make after the last check; `leads`: the server is the one that is elected. Nothing is written to a
    /// server whose check did not pass: it may be fenced. Elsewhere than on the one that leads, write sets of others that
    /// were committed show the same.
    #[must_use]
    pub fn canary(&self, leads: bool) -> Option<Canary> {
        match (self.passed, leads) {
            (false, _) => None,
            (true, true) => Some(Canary::Row),
            (true, false) => (self.uncommitted > 0 || !self.moved).then_some(Canary::Local),
        }
    }

    /// Takes an event in; `now` is the caller's monotonic clock.
    pub fn on(&mut self, event: Event, now: Duration) -> Change {
        match event {
            Event::Polled { asked, .. } if self.is_too_old(asked, now) => Change::None,
            Event::Polled { reading, asked } => self.polled(&reading, asked, now),
            Event::PollFailed(cause) => self.poll_failed(cause, now),
            Event::Full(cause) => self.full(cause, now),
            Event::Committed(commit) => self.committed(&commit, now),
            Event::Crashed(cause) => {
                self.crashed_at = Some(now);
                self.uncommitted = 0;
                self.check_failed(Unfit::Crashed(cause), now)
            }
            Event::Answered => self.answered(),
        }
    }

    /// A check that was sent before the server crashed, or before the agent stood still, says nothing of now.
    fn is_too_old(&self, asked: Duration, now: Duration) -> bool {
        self.crashed_at.is_some_and(|at| asked <= at) || !Proof::new(asked, self.rules.lasts()).holds_at(now)
    }

    fn polled(&mut self, reading: &Reading, asked: Duration, now: Duration) -> Change {
        self.was_galera |= reading.is_galera();
        self.moved = reading.wsrep_last_committed.is_some()
            && self.last_committed.is_some()
            && reading.wsrep_last_committed != self.last_committed;
        self.last_committed.clone_from(&reading.wsrep_last_committed);
        self.full_since = None;
        match self.objection(reading) {
            None => self.check_passed(asked, now),
            Some(finding) => self.check_failed(finding, now),
        }
    }

    /// After a crash the failed checks that follow it say nothing new, and "crashed" is the better reason.
    fn poll_failed(&mut self, cause: String, now: Duration) -> Change {
        let finding = match &self.finding {
            crashed @ Unfit::Crashed(_) if !self.verdict.fit => crashed.clone(),
            _ => Unfit::CheckFailed(cause),
        };
        self.check_failed(finding, now)
    }

    /// Neither for the server nor against it, for a while.
    fn full(&mut self, cause: String, now: Duration) -> Change {
        let since = *self.full_since.get_or_insert(now);
        if !self.verdict.fit || now.saturating_sub(since) > BLIND {
            return self.poll_failed(cause, now);
        }
        self.passed = false;
        self.verdict.reason = Reason::Unseen(cause);
        self.verdict.proof = Proof::new(now, self.rules.lasts());
        Change::None
    }

    fn committed(&mut self, commit: &Commit, now: Duration) -> Change {
        let Some(finding) = commit.finding() else {
            self.uncommitted = 0;
            return Change::None;
        };
        self.uncommitted = self.uncommitted.saturating_add(1);
        self.failed(finding, self.uncommitted, now)
    }

    /// Only checks make a server fit: one that answers may still be recovering or joining.
    fn answered(&mut self) -> Change {
        if !self.verdict.fit && self.good == 0 && matches!(self.finding, Unfit::Crashed(_)) {
            self.finding = Unfit::NotChecked;
            self.verdict.reason = Reason::Unfit(Unfit::NotChecked);
        }
        Change::None
    }

    fn check_passed(&mut self, asked: Duration, now: Duration) -> Change {
        (self.bad, self.passed) = (0, true);
        if self.uncommitted > 0 {
            return Change::None;
        }
        self.good = self.good.saturating_add(1);
        self.verdict.proof = Proof::new(asked, self.rules.lasts());
        if self.verdict.fit {
            self.verdict.reason = Reason::Passed;
            return Change::None;
        }
        if self.good >= self.rules.rise {
            self.verdict = Verdict { fit: true, reason: Reason::Passed, since: now, ..self.verdict };
            return Change::BecameFit;
        }
        self.verdict.reason =
            Reason::Rising { after: self.finding.clone(), good: self.good, rise: self.rules.rise };
        Change::None
    }

    fn check_failed(&mut self, finding: Unfit, now: Duration) -> Change {
        self.passed = false;
        self.bad = self.bad.saturating_add(1);
        self.failed(finding, self.bad, now)
    }

    fn failed(&mut self, finding: Unfit, bad: u32, now: Duration) -> Change {
        self.good = 0;
        self.finding = finding.clone();
        if !self.verdict.fit {
            self.verdict.reason = Reason::Unfit(finding);
            return Change::None;
        }
        if finding.is_definite() || bad >= self.rules.fall {
            let reason = Reason::Unfit(finding.clone());
            self.verdict = Verdict { fit: false, reason, since: now, ..self.verdict };
            return Change::BecameUnfit(finding);
        }
        self.verdict.reason = Reason::Doubtful { finding, bad, fall: self.rules.fall };
        Change::None
    }
}
