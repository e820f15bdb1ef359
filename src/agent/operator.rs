//! What an operator asks of a running agent: to leave the election and stay out, or to come back. It owns that word;
//! the registrar acts on it. Who may ask is `admin`'s to decide.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use capitana_core::Link;
use capitana_core::candidacy::{Standing, Wish};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::candidate::Candidate;
use super::metrics::{AgentMetrics, STEPPED_DOWN};
use super::status::{Registered, RegistrationStatus, rfc3339};
use crate::admin::{Order, Ordered};

/// How long the answer waits for ZooKeeper. It answers within milliseconds, or it is not there.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Since when the agent stays out, and who asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SteppedDown {
    /// RFC 3339 UTC.
    pub since: String,
    /// What the one who asked says of itself, and from where it asked.
    pub by: String,
}

impl fmt::Display for SteppedDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stepped down at {} by {}; `capitana agent --rejoin` lets it back", self.since, self.by)
    }
}

/// Takes orders.
pub struct Operator {
    word: watch::Sender<Option<SteppedDown>>,
    candidate: Candidate,
    registration: watch::Receiver<RegistrationStatus>,
    metrics: Arc<AgentMetrics>,
}

impl Operator {
    /// One whose word goes to `word`, and who sees in `registration` what became of it.
    #[must_use]
    pub fn new(
        word: watch::Sender<Option<SteppedDown>>,
        candidate: Candidate,
        registration: watch::Receiver<RegistrationStatus>,
        metrics: Arc<AgentMetrics>,
    ) -> Self {
        Self { word, candidate, registration, metrics }
    }

    /// Does what is asked for, and tells what became of it once ZooKeeper has answered.
    pub async fn carry_out(&self, order: Order, by: String) -> Ordered {
        match order {
            Order::StepDown => self.step_down(by).await,
            Order::Rejoin => self.rejoin(by).await,
        }
    }

    /// Asked again it changes nothing, and waits for what the first asking has begun.
    async fn step_down(&self, by: String) -> Ordered {
        let before = self.registration.borrow().registered.clone();
        let asked = Instant::now();
        let new = SteppedDown { since: rfc3339(SystemTime::now()), by };
        let news = self.word.send_if_modified(|word| {
            let news = word.is_none();
            word.get_or_insert(new);
            news
        });
        if news {
            self.metrics.step_down(STEPPED_DOWN);
            self.metrics.stepped_down.set(1);
            tracing::info!(
                by = self.by(),
                "stepped down: out of the election until told to rejoin or restarted"
            );
        }
        let mut registration = self.registration.clone();
        let withdrawn = timeout(ANSWER_LIMIT, registration.wait_for(|status| status.withdrawn)).await;
        let done = matches!(withdrawn, Ok(Ok(_)));
        Ordered { done, answer: self.left(before.as_ref(), done, asked.elapsed()) }
    }

    fn left(&self, before: Option<&Registered>, done: bool, took: Duration) -> Value {
        let why = (!done).then(|| match &self.registration.borrow().zookeeper {
            Link::Up => "ZooKeeper has not confirmed it yet".to_owned(),
            Link::Down(cause) | Link::NeverUp(Some(cause)) => {
                format!(
                    "ZooKeeper cannot be reached ({cause}): the znode goes when it can, or with its session"
                )
            }
            Link::NeverUp(None) => "ZooKeeper has not answered yet".to_owned(),
        });
        json!({
            "stepped_down": *self.word.borrow(),
            "znode": before,
            "withdrawn": done,
            "milliseconds": took.as_secs_f64() * 1e3,
            "not_withdrawn_because": why,
        })
    }

    /// A server that is fit is registered again, at the end of the line.
    async fn rejoin(&self, by: String) -> Ordered {
        let before = self.word.send_replace(None);
        if before.is_some() {
            self.metrics.stepped_down.set(0);
            tracing::info!(by, "may join the election again");
        }
        let mut registration = self.registration.clone();
        let wanted = self.candidate.standing().wish() == Wish::Register;
        let stands = async { registration.wait_for(|status| status.stands).await.is_ok() };
        let done = wanted && timeout(ANSWER_LIMIT, stands).await.is_ok_and(|there| there);
        let why = (!done).then(|| match self.candidate.standing() {
            Standing::Candidate => self.registration.borrow().obstacle(),
            _ => self.candidate.reason(),
        });
        Ordered {
            // An unfit server is no failure of the order: it registers once it is fit.
            done: done || !wanted,
            answer: json!({
                "stepped_down": null,
                "was_stepped_down": before,
                "znode": self.registration.borrow().registered,
                "not_registered_because": why,
            }),
        }
    }

    fn by(&self) -> String {
        self.word.borrow().as_ref().map(|word| word.by.clone()).unwrap_or_default()
    }
}
