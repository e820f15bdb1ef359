//! What the fencer has done on the server, one job at a time, with the marker of a fence that is ours written before and
//! removed after.

use std::io;
use std::time::Duration;

use capitana_core::fence::Event;
use tokio::time::Instant;

use super::hand::{Found, Hand, Pace};
use super::marker::{Marker, Run};

/// One thing to do.
#[derive(Debug)]
pub enum Job {
    /// Keep the connections ready, and see whether the server is still the same.
    Look {
        /// Whether the agent has just been started: a fence may be one of its earlier run.
        first: bool,
    },
    /// Set the fence.
    Set {
        /// The server's run in an earlier attempt, after which a fence that is found is ours.
        again: Option<Run>,
    },
    /// Lift it.
    Lift,
}

/// What it is done with.
pub struct Workshop {
    /// The connections.
    hand: Hand,
    /// The file.
    marker: Marker,
    /// How long it may take.
    pace: Pace,
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

impl Workshop {
    /// One in which nothing has been done yet.
    #[must_use]
    pub fn new(hand: Hand, marker: Marker, pace: Pace) -> Self {
        Self { hand, marker, pace, failure: None }
    }

    /// Does one job.
    pub async fn work(mut self, job: Job) -> Done {
        let begun = Instant::now();
        let (event, run) = match job {
            Job::Look { first } => self.look(first).await,
            Job::Set { again: None } => self.set().await,
            Job::Set { again: Some(run) } => (Some(self.set_now(&run).await), Some(run)),
            Job::Lift => self.lift().await,
        };
        Done { workshop: self, event, run, took: begun.elapsed() }
    }

    async fn look(&mut self, first: bool) -> (Option<Event>, Option<Run>) {
        let found = match self.hand.look(self.pace.limit).await {
            Ok(found) => found,
            Err(cause) => {
                tracing::debug!(cause, "the connections for fencing are not ready");
                return (None, None);
            }
        };
        if !first {
            self.marker.settle().await;
            return (None, Some(found.run));
        }
        match self.remember(&found).await {
            Ok(event) => (event, Some(found.run)),
            // The next look is the first one again.
            Err(cause) => {
                if self.is_news(&cause) {
                    tracing::warn!(cause, "whether a fence is that of an earlier run is not known yet");
                }
                (None, None)
            }
        }
    }

    /// The first look after a start.
    ///
    /// # Errors
    /// The disk does not answer.
    async fn remember(&mut self, found: &Found) -> Result<Option<Event>, String> {
        let ours = found.fenced && self.is_recorded(&found.run).await?;
        self.see_privileges().await;
        if ours {
            return Ok(Some(Event::Remembered));
        }
        self.marker.remove().await;
        Ok(None)
    }

    async fn is_recorded(&self, run: &Run) -> Result<bool, String> {
        match self.marker.read().await {
            Ok(recorded) => Ok(recorded.is_some_and(|recorded| recorded.is(run))),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(error.to_string()),
            Err(error) => {
                tracing::warn!(%error, "the record of a fence cannot be read: the fence there is counts as somebody else's");
                Ok(false)
            }
        }
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

    async fn set(&mut self) -> (Option<Event>, Option<Run>) {
        match self.hand.look(self.pace.limit).await {
            Ok(found) if found.fenced => (Some(Event::FoundSet), Some(found.run)),
            Ok(found) => (Some(self.set_now(&found.run).await), Some(found.run)),
            Err(cause) => (Some(self.not_set(&cause)), None),
        }
    }

    async fn set_now(&mut self, run: &Run) -> Event {
        self.marker.write(run, self.hand.lifts()).await;
        match self.hand.set(self.pace).await {
            Ok(()) => {
                self.failure = None;
                Event::Set
            }
            Err(cause) => self.not_set(&cause),
        }
    }

    /// A fence that is not there any more, or never was, needs no lifting.
    async fn lift(&mut self) -> (Option<Event>, Option<Run>) {
        let lifted = match self.hand.look(self.pace.limit).await {
            Ok(found) if found.fenced => self.hand.lift(self.pace.limit).await.map(|()| found.run),
            Ok(found) => Ok(found.run),
            Err(cause) => Err(cause),
        };
        match lifted {
            Ok(run) => {
                self.failure = None;
                self.marker.remove().await;
                (Some(Event::Lifted), Some(run))
            }
            Err(cause) => {
                let statement = self.hand.lifts();
                if self.is_news(&cause) {
                    tracing::error!(cause, statement, "the fence cannot be lifted, and it is tried again");
                }
                (Some(Event::LiftFailed), None)
            }
        }
    }

    /// A server that is down needs no fence, and takes none: that is tried until it does.
    fn not_set(&mut self, cause: &str) -> Event {
        if self.is_news(cause) {
            tracing::error!(cause, "the server cannot be fenced, and it is tried again");
        }
        Event::SetFailed
    }

    fn is_news(&mut self, cause: &str) -> bool {
        self.failure.replace(cause.to_owned()).as_deref() != Some(cause)
    }
}
