//! The worker's metrics: handles made once and registered with a registry that is passed in.

use capitana_core::lease::Lease;
use capitana_core::worker::Exit;
use prometheus::{IntCounter, IntGauge, PullingGauge, Registry, Result};
use tokio::sync::watch;

use crate::clock::BootClock;
use crate::metrics::Maker;
use crate::registrar::LinkMetrics;
use crate::side::SideMetrics;

/// Registers the age of the lease, which is looked at when it is scraped. NaN: there has never been one.
///
/// # Errors
/// The name is taken in `registry`.
pub(super) fn register_lease(registry: &Registry, lease: watch::Receiver<Lease>) -> Result<()> {
    let age = move || lease.borrow().age(BootClock.now()).map_or(f64::NAN, |age| age.as_secs_f64());
    let help = "Time since the sending of the last request that ZooKeeper acknowledged";
    registry.register(Box::new(PullingGauge::new("capitana_worker_lease_age_seconds", help, Box::new(age))?))
}

/// The worker's metrics; clones are the same ones.
#[derive(Clone)]
pub(super) struct WorkerMetrics {
    /// 1 while the command runs.
    pub(super) running: IntGauge,
    /// 1 while there is a place in line.
    pub(super) registered: IntGauge,
    /// Starts of the command.
    pub(super) starts: IntCounter,
    /// Commands that were ended because the turn was lost or in doubt.
    pub(super) interrupted: IntCounter,
    /// Of the link to ZooKeeper.
    pub(super) link: LinkMetrics,
    /// The session beside the line's.
    pub(super) side: SideMetrics,
    succeeded: IntCounter,
    failed: IntCounter,
}

impl WorkerMetrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// A name is taken in `registry`.
    pub(super) fn register(registry: &Registry) -> Result<Self> {
        let make = Maker::new(registry)?;
        let exits = make.counters("worker_exits_total", "Ends of the command by result", &["result"])?;
        Ok(Self {
            running: make.gauge("worker_running", "1 while the command runs")?,
            registered: make.gauge("worker_registered", "1 while the worker has a place in line")?,
            starts: make.counter("worker_starts_total", "Times the command was started")?,
            interrupted: make.counter(
                "worker_interruptions_total",
                "Times the command was ended because the turn was lost or in doubt",
            )?,
            link: LinkMetrics::register(&make)?,
            side: SideMetrics::register(&make)?,
            succeeded: exits.with_label_values(&["succeeded"]),
            failed: exits.with_label_values(&["failed"]),
        })
    }

    /// Counts an end.
    pub(super) fn exit(&self, exit: Exit) {
        if exit.succeeded() { self.succeeded.inc() } else { self.failed.inc() }
    }
}
