//! When a file made of the list of services is written anew, and when the command after it is run: at once after a change,
//! but not more often than asked for, and only with a list that is believed. Writing and running are the caller's.

use std::time::Duration;

use super::list::Services;

/// How long after a file could not be made or written that is tried again: somebody has to mend the template, or make room.
const RETRY: Duration = Duration::from_secs(5);

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The least time from one writing to the next.
    pub interval: Duration,
    /// How long after the command has failed it is run again. None: not before the next change.
    pub retry: Option<Duration>,
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A list that is believed was read.
    Read(Services),
    /// The file was written; `changed`: it is another one than before.
    Written {
        /// Whether its content differs from what was there.
        changed: bool,
    },
    /// It could not be made or written: what was there stays.
    Failed,
    /// The command ended well.
    Ran,
    /// The command failed.
    RunFailed,
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing before something happens, or this time comes.
    Wait(Option<Duration>),
    /// Make the file of this list and write it.
    Write(Services),
    /// Run the command.
    Run,
}

/// One file.
#[derive(Debug, Clone)]
pub struct Rendering {
    pace: Pace,
    wanted: Option<Services>,
    written: Option<Services>,
    write_at: Duration,
    run_at: Option<Duration>,
    busy: bool,
}

impl Rendering {
    /// Nothing read yet.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self { pace, wanted: None, written: None, write_at: Duration::ZERO, run_at: None, busy: false }
    }

    /// Takes in what has happened.
    pub fn on(&mut self, event: Event, now: Duration) {
        match event {
            Event::Read(services) => self.wanted = Some(services),
            Event::Written { changed } => {
                self.busy = false;
                if changed {
                    self.run_at = Some(now);
                }
            }
            Event::Failed => {
                self.busy = false;
                self.written = None;
                self.write_at = self.write_at.max(now + RETRY);
            }
            Event::Ran => (self.busy, self.run_at) = (false, None),
            Event::RunFailed => {
                self.busy = false;
                self.run_at = self.pace.retry.map(|retry| now + retry);
            }
        }
    }

    /// What to do now. Whatever is not waiting has begun with this answer, and its end is to be told.
    pub fn next(&mut self, now: Duration) -> Action {
        if self.busy {
            return Action::Wait(None);
        }
        let to_write = self.wanted.clone().filter(|wanted| self.written.as_ref() != Some(wanted));
        if let Some(services) = to_write.clone()
            && now >= self.write_at
        {
            self.busy = true;
            self.write_at = now + self.pace.interval;
            self.written = Some(services.clone());
            return Action::Write(services);
        }
        if self.run_at.is_some_and(|at| now >= at) {
            self.busy = true;
            return Action::Run;
        }
        let due = [to_write.map(|_| self.write_at), self.run_at];
        Action::Wait(due.into_iter().flatten().min())
    }
}
