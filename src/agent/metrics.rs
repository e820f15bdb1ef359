//! The agent's metrics: handles made once and registered with a registry that is passed in.

use std::time::Duration;

use capitana_core::health::Unfit;
use capitana_core::lease::Lease;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, PullingGauge, Registry, Result};
use tokio::sync::watch;

use super::canary::CanaryMetrics;
use crate::clock::BootClock;
use crate::metrics::Maker;
use crate::registrar::LinkMetrics;
use crate::side::SideMetrics;

/// The label of `capitana_agent_step_downs_total` where an operator asked for it.
pub const STOPPED: &str = "stopped";
/// The same where an operator asked it to stay out.
pub const STEPPED_DOWN: &str = "stepped-down";

/// From 0.25 ms, a check on an idle local server, to 2 s, twice the usual limit.
const CHECK_SECONDS: [f64; 10] = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.025, 0.1, 0.5, 1.0, 2.0];

/// Registers the age of the lease, which is looked at when it is scraped. NaN: there has never been one.
///
/// # Errors
/// The name is taken in `registry`.
pub fn register_lease(registry: &Registry, lease: watch::Receiver<Lease>) -> Result<()> {
    let age = move || {
        let age = lease.borrow().age(BootClock.now());
        age.map_or(f64::NAN, |age| age.as_secs_f64())
    };
    let help = "Time since the sending of the last request that ZooKeeper acknowledged";
    registry.register(Box::new(PullingGauge::new("capitana_agent_lease_age_seconds", help, Box::new(age))?))
}

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckResult {
    /// Nothing speaks against the server.
    Passed,
    /// It answered, and something speaks against it.
    Objected,
    /// It did not answer in time, or with an error.
    Failed,
}

/// The agent's metrics.
pub struct AgentMetrics {
    /// 1 while the server is fit to lead.
    pub fit: IntGauge,
    /// 1 while the agent has a znode.
    pub registered: IntGauge,
    /// 1 while an operator keeps the agent out of the election.
    pub stepped_down: IntGauge,
    /// 1 while the agent keeps its server from taking writes.
    pub fenced: IntGauge,
    /// Fences set.
    pub fences: IntCounter,
    /// Fences that could not be set or lifted at an attempt.
    pub fence_failures: IntCounter,
    /// Of the link to ZooKeeper.
    pub link: LinkMetrics,
    /// Znodes the agent came to have.
    pub registrations: IntCounter,
    /// Commits of the agent's own.
    pub canary: CanaryMetrics,
    /// The session beside the election's.
    pub side: SideMetrics,
    passed: IntCounter,
    objected: IntCounter,
    failed: IntCounter,
    check_seconds: Histogram,
    step_downs: IntCounterVec,
}

impl AgentMetrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// A name is taken in `registry`.
    pub fn register(registry: &Registry) -> Result<Self> {
        let make = Maker::new(registry)?;
        let checks =
            make.counters("agent_checks_total", "Checks of the local server by result", &["result"])?;
        let step_downs = make.counters(
            "agent_step_downs_total",
            "Times the local server stopped being fit to lead, or the agent was stopped, by cause",
            &["cause"],
        )?;
        for cause in Unfit::LABELS.into_iter().chain([STOPPED, STEPPED_DOWN]) {
            step_downs.with_label_values(&[cause]);
        }
        Ok(Self {
            fit: make.gauge("agent_fit", "1 while the local server is fit to lead")?,
            registered: make.gauge("agent_registered", "1 while the agent has a znode in the election")?,
            stepped_down: make
                .gauge("agent_stepped_down", "1 while an operator keeps the agent out of the election")?,
            fenced: make.gauge("agent_fenced", "1 while the agent keeps its server from taking writes")?,
            fences: make.counter("agent_fences_total", "Times the agent has fenced its server")?,
            fence_failures: make.counter(
                "agent_fence_failures_total",
                "Attempts to fence the server, or to lift the fence, that failed",
            )?,
            link: LinkMetrics::register(&make)?,
            registrations: make
                .counter("agent_registrations_total", "Times the agent got a znode in the election")?,
            canary: CanaryMetrics::register(&make)?,
            side: SideMetrics::register(&make)?,
            passed: checks.with_label_values(&["passed"]),
            objected: checks.with_label_values(&["objected"]),
            failed: checks.with_label_values(&["failed"]),
            check_seconds: make.seconds(
                "agent_check_duration_seconds",
                "How long a check took",
                &CHECK_SECONDS,
            )?,
            step_downs,
        })
    }

    /// Counts a check.
    pub fn check(&self, result: CheckResult, took: Duration) {
        match result {
            CheckResult::Passed => self.passed.inc(),
            CheckResult::Objected => self.objected.inc(),
            CheckResult::Failed => self.failed.inc(),
        }
        self.check_seconds.observe(took.as_secs_f64());
    }

    /// Counts a step-down.
    pub fn step_down(&self, cause: &str) {
        self.step_downs.with_label_values(&[cause]).inc();
    }
}
