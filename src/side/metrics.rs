//! Metrics of the side session: handles made once and registered with the daemon's others.

use prometheus::{Error, IntCounter, IntCounterVec, IntGauge};

use crate::metrics::Maker;

/// The parts there can be: each has its label from the start.
const PARTS: [&str; 3] = [super::presence::NAME, super::roster::NAME, crate::live::PART];

/// What is counted of the side session.
#[derive(Clone)]
pub struct SideMetrics {
    /// 1 while its link is up.
    pub connected: IntGauge,
    /// Sessions opened.
    pub sessions: IntCounter,
    /// 1 while this process is in the list of services.
    pub registered: IntGauge,
    failed: IntCounterVec,
}

impl SideMetrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// A name is taken: a mistake in capitana.
    pub fn register(make: &Maker<'_>) -> Result<Self, Error> {
        let failed = make.counters(
            "side_rounds_failed_total",
            "Rounds on the side session that failed, by part",
            &["part"],
        )?;
        for part in PARTS {
            failed.with_label_values(&[part]);
        }
        Ok(Self {
            connected: make.gauge("side_connected", "1 while the side session's link to ZooKeeper is up")?,
            sessions: make.counter("side_sessions_total", "Side sessions opened with ZooKeeper")?,
            registered: make
                .gauge("service_registered", "1 while this process is in the list of services")?,
            failed,
        })
    }

    /// Counts a round that failed.
    pub fn failed(&self, part: &str) {
        self.failed.with_label_values(&[part]).inc();
    }
}
