//! What the agent says of its canary: in `/status`, and in metrics.

use std::time::SystemTime;

use capitana_core::health::{Canary, Commit, Local};
use prometheus::{Histogram, IntCounter, IntGauge, Result};
use serde::Serialize;

use super::Tried;
use crate::agent::status::rfc3339;
use crate::metrics::Maker;

/// From 0.5 ms, a commit on a disk with a cache of its own, to 10 s.
const SECONDS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

/// The agent's own commits.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CanaryStatus {
    /// Why none can be made, if that is so: for want of a right or a table.
    pub impossible_because: Option<String>,
    /// What became of the last one.
    pub last: Option<LastCommit>,
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LastCommit {
    /// When this was known, RFC 3339 UTC.
    pub at: String,
    /// Whether a row was written, which is replicated; else the server was only asked to commit by itself.
    pub row: bool,
    /// What became of it: see `capitana_agent_canaries_total`.
    pub result: &'static str,
    /// How long it took, or has taken so far.
    pub milliseconds: f64,
}

impl CanaryStatus {
    /// Takes news of a commit over.
    pub fn update(&mut self, tried: &Tried) {
        self.impossible_because = match &tried.outcome {
            Commit::Impossible(cause) => Some(cause.clone()),
            _ => None,
        };
        self.last = Some(LastCommit {
            at: rfc3339(SystemTime::now()),
            row: tried.kind == Canary::Row,
            result: label(&tried.outcome),
            milliseconds: tried.took.as_secs_f64() * 1e3,
        });
    }
}

/// The canary's metrics.
pub struct CanaryMetrics {
    results: Vec<(&'static str, IntCounter)>,
    seconds: Histogram,
    possible: IntGauge,
}

impl CanaryMetrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// A name is taken.
    pub fn register(make: &Maker<'_>) -> Result<Self> {
        let name = "agent_canaries_total";
        let results = make.counters(name, "Commits of the agent's own by result", &["result"])?;
        let counter = |label| (label, results.with_label_values(&[label]));
        Ok(Self {
            results: ["done", "hangs", "held-up", "refused", "impossible", "too-early", "lost"]
                .map(counter)
                .into(),
            seconds: make.seconds(
                "agent_canary_duration_seconds",
                "How long a row of the agent's own took to be committed",
                &SECONDS,
            )?,
            possible: make.gauge("agent_canary_possible", "1 while the agent can make commits of its own")?,
        })
    }

    /// Counts a commit. One that hangs is counted again and again.
    pub fn tried(&self, tried: &Tried) {
        let label = label(&tried.outcome);
        if let Some((_, counter)) = self.results.iter().find(|(name, _)| *name == label) {
            counter.inc();
        }
        self.possible.set(i64::from(!matches!(tried.outcome, Commit::Impossible(_))));
        if tried.kind == Canary::Row && tried.outcome == Commit::Done {
            self.seconds.observe(tried.took.as_secs_f64());
        }
    }
}

fn label(outcome: &Commit) -> &'static str {
    match outcome {
        Commit::Done => "done",
        Commit::Overdue { local: Local::Hangs, .. } => "hangs",
        Commit::Overdue { .. } => "held-up",
        Commit::Refused { .. } => "refused",
        Commit::Impossible(_) => "impossible",
        Commit::TooEarly => "too-early",
        Commit::Lost(_) => "lost",
    }
}
