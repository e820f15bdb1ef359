//! What follows when the command has ended by itself: again after a pause, another host's turn, or the end. Pure.

use std::time::Duration;

use crate::backoff::Backoff;

/// The pause before the command is run again: the first, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// A command that has run for so long was well: what failed before does not count any more.
const WELL: Duration = Duration::from_secs(60);

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this status.
    Code(u8),
    /// By this signal.
    Signal(u8),
}

impl Exit {
    /// Whether it has done what it should.
    #[must_use]
    pub fn succeeded(self) -> bool {
        self == Self::Code(0)
    }

    /// The exit status that tells it, as a shell's does.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => signal.saturating_add(128),
        }
    }
}

/// When a command is run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// However it ended.
    Always,
    /// Unless it succeeded.
    OnFailure,
    /// It is not.
    Never,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is run again after this pause.
    Again(Duration),
    /// The place in line is given up, so that another host tries; after this pause it is taken anew, at the end.
    StepDown(Duration),
    /// Nothing more: this is how it ended.
    Done(Exit),
}

/// Counts failures.
#[derive(Debug, Clone)]
pub struct Policy {
    restart: Restart,
    give_up_after: Option<u32>,
    failures: u32,
    backoff: Backoff,
}

impl Policy {
    /// `give_up_after`: so many failures in a row are another host's turn. `seed` differs between hosts.
    #[must_use]
    pub fn new(restart: Restart, give_up_after: Option<u32>, seed: u64) -> Self {
        Self { restart, give_up_after, failures: 0, backoff: Backoff::new(PAUSE.0, PAUSE.1, seed) }
    }

    /// The command has ended after it had run for `lasted`.
    pub fn after(&mut self, exit: Exit, lasted: Duration) -> Next {
        if self.restart == Restart::Never || (self.restart == Restart::OnFailure && exit.succeeded()) {
            return Next::Done(exit);
        }
        if exit.succeeded() || lasted >= WELL {
            self.failures = 0;
            self.backoff.reset();
        }
        self.failures += u32::from(!exit.succeeded());
        let pause = self.backoff.wait();
        if self.give_up_after.is_some_and(|most| self.failures >= most) {
            self.failures = 0;
            self.backoff.reset();
            return Next::StepDown(pause);
        }
        Next::Again(pause)
    }
}
