//! Prometheus metrics of failovers: how long they, their barriers and their drains took. What they are is
//! `milestones`' and `lead`'s.

use capitana_core::failover::BarrierEnd;
use prometheus::{Error, Histogram, IntCounter};

use crate::metrics::Maker;

/// From a loopback's round trip to twice the longest usual wait, `drain-timeout`.
const SECONDS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Handles of everything that is measured in a failover.
#[derive(Debug, Clone)]
pub struct Durations {
    /// From the end of the old epoch to the first byte of the new primary.
    pub failover: Histogram,
    /// From the election to the end of the last session of older epochs.
    pub drain: Histogram,
    /// From the election to the first causal read that passed.
    pub barrier: Histogram,
    passed: IntCounter,
    skipped: IntCounter,
    timed_out: IntCounter,
}

impl Durations {
    /// Registers them.
    ///
    /// # Errors
    /// A name is taken: a mistake in capitana.
    pub fn register(make: &Maker<'_>) -> Result<Self, Error> {
        let seconds = |name, help| make.seconds(name, help, &SECONDS);
        let barriers =
            make.counters("barriers_total", "Barriers of new primaries, by result", &["result"])?;
        Ok(Self {
            failover: seconds(
                "failover_duration_seconds",
                "From the end of the old epoch to the first byte of the new primary, less the time nobody came",
            )?,
            drain: seconds("drain_duration_seconds", "From the election to the last old session's end")?,
            barrier: seconds("barrier_duration_seconds", "Time until a new primary had every earlier write")?,
            passed: barriers.with_label_values(&["passed"]),
            skipped: barriers.with_label_values(&["skipped"]),
            timed_out: barriers.with_label_values(&["timed-out"]),
        })
    }

    /// Counts how a barrier ended.
    pub fn barrier_ended(&self, end: BarrierEnd) {
        match end {
            BarrierEnd::Passed => &self.passed,
            BarrierEnd::Skipped => &self.skipped,
            BarrierEnd::TimedOut => &self.timed_out,
        }
        .inc();
    }
}
