//! Keeps the verdict on the local server: takes what the wire and the checks report to `capitana_core::health`,
//! publishes the verdict, and logs each change of it. It decides nothing and asks the server nothing.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use capitana_core::health::{Change, Event, Health, Reason, Rules, Unfit};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::fence::FenceStatus;
use super::metrics::{AgentMetrics, CheckResult};
use super::poll::{Checked, Reports, poll};
use super::server::Server;
use super::status::{HealthStatus, LastCheck};
use super::wire::{Pace, keep};
use crate::config::FenceMode;

/// Reports that may wait for the monitor; it does nothing slow, so there is hardly ever one.
const QUEUE: usize = 16;

/// Watches one server.
pub struct Monitor {
    health: Health,
    rules: Rules,
    clock: Instant,
    status: watch::Sender<HealthStatus>,
    fence: watch::Receiver<FenceStatus>,
    metrics: Arc<AgentMetrics>,
    /// The label of the last reason that was logged, since the server was fit.
    logged: Option<&'static str>,
}

impl Monitor {
    /// A monitor, and where it publishes.
    #[must_use]
    pub fn new(
        rules: Rules,
        fence: watch::Receiver<FenceStatus>,
        metrics: Arc<AgentMetrics>,
    ) -> (Self, watch::Receiver<HealthStatus>) {
        let health = Health::new(rules, Duration::ZERO);
        let (status, published) = watch::channel(HealthStatus::of(&health, SystemTime::now()));
        (Self { health, rules, clock: Instant::now(), status, fence, metrics, logged: None }, published)
    }

    /// Watches until the task is dropped.
    pub async fn run(mut self, server: Server, pace: Pace, seed: u64) {
        let server = Arc::new(server);
        let (wire, mut events) = mpsc::channel(QUEUE);
        let (checks, mut checked) = mpsc::channel(QUEUE);
        let mut tasks = JoinSet::new();
        let (bell, hurry) = watch::channel(());
        tasks.spawn(keep(Arc::clone(&server), pace, seed, wire, bell));
        tasks.spawn(poll(server, pace, hurry, Reports { queue: checks, clock: self.clock }));
        loop {
            tokio::select! {
                biased;
                Some(event) = events.recv() => self.on(event),
                Some(check) = checked.recv() => self.on_check(check),
                else => return,
            }
        }
    }

    fn on_check(&mut self, mut check: Checked) {
        self.forgive(&mut check);
        let (result, problem) = match &check.outcome {
            Ok(reading) => match reading.objection(self.rules.donor_may_lead) {
                None => (CheckResult::Passed, None),
                Some(unfit) => (CheckResult::Objected, Some(unfit.to_string())),
            },
            Err(cause) => (CheckResult::Failed, Some(cause.clone())),
        };
        self.metrics.check(result, check.took);
        let last = LastCheck::new(check.took, problem, check.outcome.as_ref().ok().cloned());
        self.status.send_modify(|status| status.last_check = Some(last));
        self.on(match check.outcome {
            Ok(reading) => Event::Polled { reading, asked: check.asked },
            Err(cause) => Event::PollFailed(cause),
        });
    }

    /// What the agent has done itself says nothing of the server. The fence is in `/status` on its own, and nobody registers
    /// behind it.
    fn forgive(&self, check: &mut Checked) {
        let fence = self.fence.borrow().seen_by(self.clock + check.asked);
        let Ok(reading) = &mut check.outcome else { return };
        let (field, open) = match fence {
            Some(FenceMode::ReadOnly) => (&mut reading.read_only, "OFF"),
            Some(FenceMode::Reject) => (&mut reading.wsrep_reject_queries, "NONE"),
            Some(FenceMode::Off) | None => return,
        };
        *field = Some(open.to_owned());
    }

    fn on(&mut self, event: Event) {
        match self.health.on(event, self.clock.elapsed()) {
            Change::None => {}
            Change::BecameFit => {
                self.logged = None;
                tracing::info!("the server is fit to lead");
            }
            Change::BecameUnfit(unfit) => self.metrics.step_down(unfit.label()),
        }
        self.log_what_is_new();
        let verdict = self.health.verdict();
        let (fit, reason) = (verdict.fit, verdict.reason.to_string());
        self.metrics.fit.set(i64::from(fit));
        let undecided = verdict.is_undecided();
        self.status.send_modify(|status| {
            status.update(fit, reason);
            // Once there has been a verdict, there is one.
            status.undecided &= undecided;
        });
    }

    /// One line for each kind of reason that keeps the server from leading, not for each check that repeats it.
    fn log_what_is_new(&mut self) {
        let Reason::Unfit(unfit) = &self.health.verdict().reason else { return };
        if self.logged != Some(unfit.label()) && *unfit != Unfit::NotChecked {
            self.logged = Some(unfit.label());
            tracing::warn!(reason = %unfit, "the server is unfit to lead");
        }
    }
}
