//! What the fencer has done on the server, one job at a time, with the marker of a fence that is ours written before and
//! removed after. Whose a fence is that is found there is told here; what follows from that is `capitana_core::fence`'s.

use std::io;
use std::time::Duration;

use capitana_core::fence::Event;
use tokio::time::Instant;

use super::hand::{Found, Hand, Pace, lifts};
use super::marker::{Marker, Run};
use crate::config::FenceMode;

/// One thing to do.
#[derive(Debug)]
pub enum Job {
    /// Keep the connections ready, and see whether the server is still the same.
    Look,
    /// Set the fence.
    Set {
        /// The server's run in an earlier attempt, after which a fence that is found is ours.
        again: Option<Run>,
    },
    /// Lift it.
    Lift {
        /// The server's run in which it was set: with that it ends.
        of: Option<Run>,
    },
}

/// What it is done with.
pub struct Workshop {
    /// The connections.
    hand: Hand,
    /// The file.
    marker: Marker,
    /// How the settings have it fence. An earlier run of the agent may have done it otherwise.
    mode: FenceMode,
    /// How long it may take.
    pace: Pace,
    /// Whether it is known what an earlier run of the agent has left behind.
    settled: bool,
    /// The last failure that was logged, so that it is logged once.
    failure: Option<String>,
}

/// What came of it.
pub struct Done {
    /// For the next job.
    pub workshop: Workshop,
    /// What the fence is told.
    pub event: Option<Event>,
    /// The server's run, where it was seen.
    pub run: Option<Run>,
    /// How long it took.
    pub took: Duration,
}

type Outcome = (Option<Event>, Option<Run>);

impl Workshop {
    /// One in which nothing has been done yet.
    #[must_use]
    pub fn new(hand: Hand, marker: Marker, pace: Pace) -> Self {
        Self { mode: hand.mode(), hand, marker, pace, settled: false, failure: None }
    }

    /// Works at this pace from now on.
    pub fn keep(&mut self, pace: Pace) {
        self.pace = pace;
        self.marker.be_patient(pace.grace);
    }

    /// How the server is fenced at the moment, or would be.
    #[must_use]
    pub fn fences_by(&self) -> FenceMode {
        self.hand.mode()
    }

    /// Whether there may be something to do: an agent that does not fence may have done so in an earlier run.
    pub async fn has_work(&self) -> bool {
        self.mode != FenceMode::Off || !matches!(self.marker.read().await, Ok(None))
    }

    /// Does one job.
    pub async fn work(mut self, job: Job) -> Done {
        let begun = Instant::now();
        let (event, run) = match job {
            Job::Look => self.look().await,
            Job::Set { again } => self.set(again).await,
            Job::Lift { of } => self.lift(of).await,
        };
        Done { workshop: self, event, run, took: begun.elapsed() }
    }

    async fn look(&mut self) -> Outcome {
        let found = match self.hand.look(self.pace.limit).await {
            Ok(found) => found,
            Err(cause) => {
                tracing::debug!(cause, "the connections for fencing are not ready");
                return (None, None);
            }
        };
        if self.settled {
            self.marker.settle().await;
            return (None, Some(found.run));
        }
        match self.remember(&found).await {
            Ok(event) => {
                self.see_privileges().await;
                (event, Some(found.run))
            }
            Err(cause) => {
                if self.is_news(&cause) {
                    tracing::warn!(cause, "whether a fence is that of an earlier run is not known yet");
                }
                (None, None)
            }
        }
    }

    /// Takes up what an earlier run has left behind.
    ///
    /// # Errors
    /// The disk does not answer, or the server.
    async fn remember(&mut self, found: &Found) -> Result<Option<Event>, String> {
        let left = match self.recorded(&found.run).await? {
            Some(mode) if self.is_fenced_by(mode, found).await? => Some(mode),
            _ => None,
        };
        self.settled = true;
        let Some(mode) = left else {
            self.marker.remove().await;
            return Ok(None);
        };
        self.hand.fence_by(mode);
        Ok(Some(Event::Remembered))
    }

    /// How an earlier run has fenced the server, if it did so in this run of it.
    async fn recorded(&self, run: &Run) -> Result<Option<FenceMode>, String> {
        match self.marker.read().await {
            Ok(recorded) => {
                Ok(recorded.filter(|recorded| recorded.run.is(run)).map(|recorded| recorded.mode))
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(error.to_string()),
            Err(error) => {
                tracing::warn!(%error, "the record of a fence cannot be read: the fence there is counts as somebody else's");
                Ok(None)
            }
        }
    }

    async fn is_fenced_by(&mut self, mode: FenceMode, found: &Found) -> Result<bool, String> {
        if mode == self.hand.mode() {
            return Ok(found.fenced);
        }
        self.hand.fence_by(mode);
        let found = self.hand.look(self.pace.limit).await;
        self.hand.fence_by(self.mode);
        found.map(|found| found.fenced)
    }

    async fn see_privileges(&mut self) {
        match self.hand.lacks(self.pace.limit).await {
            Ok(lacking) if !lacking.is_empty() => {
                let lacking = lacking.join(", ");
                tracing::warn!(lacking, "the account may lack privileges on *.* for fencing: GRANT them");
            }
            Ok(_) => {}
            Err(cause) => tracing::debug!(cause, "the account's privileges cannot be read"),
        }
    }

    async fn set(&mut self, again: Option<Run>) -> Outcome {
        if again.is_none() {
            // One of another kind, of an earlier run of the agent, has gone with the server's run.
            self.hand.fence_by(self.mode);
        }
        let found = match self.hand.look(self.pace.limit).await {
            Ok(found) => found,
            Err(cause) => {
                self.not_set(&cause);
                return (Some(Event::NotBegun), None);
            }
        };
        // A disk that does not answer holds no fence up: what it would have said is looked for later.
        if !self.settled
            && let Ok(Some(event)) = self.remember(&found).await
        {
            return (Some(event), Some(found.run));
        }
        let is_ours = again.is_some_and(|run| run.is(&found.run));
        let event = match found.fenced && !is_ours {
            true => Event::FoundSet,
            false => self.set_now(&found.run).await,
        };
        (Some(event), Some(found.run))
    }

    async fn set_now(&mut self, run: &Run) -> Event {
        self.marker.write(run, self.hand.mode()).await;
        match self.hand.set(self.pace).await {
            Ok(()) => {
                self.failure = None;
                Event::Set
            }
            Err(cause) => {
                self.not_set(&cause);
                Event::SetFailed
            }
        }
    }

    /// A fence that is not there any more, or never was, needs no lifting; one that is found in another run of the server is
    /// somebody else's.
    async fn lift(&mut self, of: Option<Run>) -> Outcome {
        let limit = self.pace.limit;
        let lifted = match self.hand.look(limit).await {
            Ok(Found { run, .. }) if of.is_some_and(|of| !of.is(&run)) => Ok((Event::Vanished, run)),
            Ok(Found { fenced: true, run }) => self.hand.lift(limit).await.map(|()| (Event::Lifted, run)),
            Ok(Found { fenced: false, run }) => Ok((Event::Lifted, run)),
            Err(cause) => Err(cause),
        };
        match lifted {
            Ok((event, run)) => {
                self.failure = None;
                self.marker.remove().await;
                self.hand.fence_by(self.mode);
                (Some(event), Some(run))
            }
            Err(cause) => {
                let statement = lifts(self.hand.mode());
                if self.is_news(&cause) {
                    tracing::error!(cause, statement, "the fence cannot be lifted, and it is tried again");
                }
                (Some(Event::LiftFailed), None)
            }
        }
    }

    /// A server that is down needs no fence, and takes none: that is tried until it does.
    fn not_set(&mut self, cause: &str) {
        if self.is_news(cause) {
            tracing::error!(cause, "the server cannot be fenced, and it is tried again");
        }
    }

    fn is_news(&mut self, cause: &str) -> bool {
        self.failure.replace(cause.to_owned()).as_deref() != Some(cause)
    }
}
