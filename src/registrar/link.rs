//! What the registrar says of its link to ZooKeeper: one log line for each thing that changes, and two metrics. It
//! decides nothing and asks nothing.

use capitana_core::Link;
use prometheus::{IntCounter, IntGauge, Result};

use crate::metrics::Maker;

/// The metrics of a link.
#[derive(Debug, Clone)]
pub struct LinkMetrics {
    connected: IntGauge,
    sessions: IntCounter,
}

impl LinkMetrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// A name is taken.
    pub fn register(make: &Maker<'_>) -> Result<Self> {
        Ok(Self {
            connected: make.gauge("zookeeper_connected", "1 while the link to ZooKeeper is up")?,
            sessions: make.counter("zookeeper_sessions_total", "Sessions opened with ZooKeeper")?,
        })
    }
}

/// Follows one link.
pub(super) struct LinkNotice {
    metrics: LinkMetrics,
    link: Link,
    /// The last problem that was logged, so that it is logged once.
    problem: Option<String>,
}

impl LinkNotice {
    /// Nothing has happened yet.
    pub(super) fn new(metrics: LinkMetrics) -> Self {
        Self { metrics, link: Link::NeverUp(None), problem: None }
    }

    /// How it is.
    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// A session has begun.
    pub(super) fn session_began(&mut self) {
        self.metrics.sessions.inc();
        self.up();
    }

    /// ZooKeeper answers.
    pub(super) fn up(&mut self) {
        if self.link != Link::Up {
            tracing::info!("the link to ZooKeeper is up");
        }
        self.problem = None;
        self.metrics.connected.set(1);
        self.link = Link::Up;
    }

    /// ZooKeeper does not answer, and why.
    pub(super) fn down(&mut self, cause: String) {
        self.complain("the link to ZooKeeper is down", cause.clone());
        self.metrics.connected.set(0);
        self.link = if self.never_up() { Link::NeverUp(Some(cause)) } else { Link::Down(cause) };
    }

    /// Whether ZooKeeper has never answered.
    pub(super) fn never_up(&self) -> bool {
        matches!(self.link, Link::NeverUp(_))
    }

    /// Logs a problem, unless it is the one that was logged last.
    pub(super) fn complain(&mut self, what: &'static str, cause: String) {
        if self.problem.as_ref() != Some(&cause) {
            tracing::warn!(cause, "{what}");
            self.problem = Some(cause);
        }
    }

    /// What was complained of is over.
    pub(super) fn solved(&mut self) {
        self.problem = None;
    }
}
