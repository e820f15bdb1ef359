//! Keeps the verdict on the local server: takes what the wire, the checks and the canary report to
//! `capitana_core::health`, publishes the verdict, and logs each change of it. It decides nothing and asks the server
//! nothing.

use std::sync::Arc;
use std::time::SystemTime;

use capitana_core::health::{Canary, Change, Commit, Event, Health, Reading, Reason, Unfit};
use capitana_core::lag::Lag;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::canary::{self, Tried};
use super::fence::FenceStatus;
use super::metrics::{AgentMetrics, CheckResult};
use super::poll::{Checked, Reports, poll};
use super::server::{Failure, Server};
use super::state::Learnt;
use super::status::{HealthStatus, LastCheck, RegistrationStatus};
use super::tuning::Tuning;
use super::wire::keep;
use crate::clock::BootClock;
use crate::config::FenceMode;

/// Reports that may wait for the monitor; it does nothing slow, so there is hardly ever one.
const QUEUE: usize = 16;

/// Watches one server.
pub struct Monitor {
    health: Health,
    lag: Lag,
    clock: BootClock,
    status: watch::Sender<HealthStatus>,
    tuning: watch::Receiver<Tuning>,
    fence: watch::Receiver<FenceStatus>,
    metrics: Arc<AgentMetrics>,
    /// The labels of the reasons that were logged since the server was fit.
    logged: Vec<&'static str>,
    /// What the canary is told to do.
    orders: watch::Sender<Option<Canary>>,
}

/// What a monitor watches, and how.
pub struct Watched {
    /// The server.
    pub server: Server,
    /// Differs between processes.
    pub seed: u64,
    /// The server's name in the canary's table.
    pub node: String,
    /// Whether the server leads.
    pub registration: watch::Receiver<RegistrationStatus>,
}

impl Monitor {
    /// A monitor that goes by what was `learnt` before, and where it publishes.
    #[must_use]
    pub fn new(
        mut tuning: watch::Receiver<Tuning>,
        fence: watch::Receiver<FenceStatus>,
        learnt: &Learnt,
        metrics: Arc<AgentMetrics>,
    ) -> (Self, watch::Receiver<HealthStatus>) {
        let mut health = Health::new(tuning.borrow_and_update().rules, BootClock.now());
        if learnt.galera {
            health.recall_galera();
        }
        let (status, published) = watch::channel(HealthStatus::of(&health, SystemTime::now()));
        let (clock, orders) = (BootClock, watch::channel(None).0);
        (
            Self {
                health,
                lag: Lag::default(),
                clock,
                status,
                tuning,
                fence,
                metrics,
                logged: Vec::new(),
                orders,
            },
            published,
        )
    }

    /// Watches until the task is dropped.
    pub async fn run(mut self, watched: Watched) {
        let Watched { server, seed, node, registration } = watched;
        let (server, tuning) = (Arc::new(server), self.tuning.clone());
        let (wire, mut events) = mpsc::channel(QUEUE);
        let (checks, mut checked) = mpsc::channel(QUEUE);
        let mut tasks = JoinSet::new();
        let (commits, mut tried) = mpsc::channel(QUEUE);
        let (bell, hurry) = watch::channel(());
        tasks.spawn(keep(Arc::clone(&server), tuning.clone(), seed, wire, bell));
        let orders = self.orders.subscribe();
        tasks.spawn(canary::run((Arc::clone(&server), node), tuning.clone(), orders, commits));
        tasks.spawn(poll(server, tuning, hurry, Reports(checks)));
        loop {
            tokio::select! {
                biased;
                Some(event) = events.recv() => self.on(event),
                Some(check) = checked.recv() => {
                    self.on_check(check);
                    self.order(registration.borrow().leads);
                }
                Some(commit) = tried.recv() => self.on_commit(commit),
                Ok(()) = self.tuning.changed() => self.retune(),
                // Half a monitor would go on with what it saw last: the agent ends, and is started anew.
                _ = tasks.join_next() => return,
            }
        }
    }

    fn retune(&mut self) {
        let tuning = *self.tuning.borrow_and_update();
        self.health.follow(tuning.rules);
        if !tuning.canary {
            self.health.forget_commits();
        }
    }

    fn on_check(&mut self, mut check: Checked) {
        self.forgive(&mut check);
        let (result, problem) = match &check.outcome {
            Ok(reading) => match self.health.objection(reading) {
                None => (CheckResult::Passed, None),
                Some(unfit) => (CheckResult::Objected, Some(unfit.to_string())),
            },
            Err(failure) => (CheckResult::Failed, Some(failure.clone().cause())),
        };
        self.metrics.check(result, check.took);
        if let Some(queue) = check.outcome.as_ref().ok().and_then(Reading::queue)
            && let Some(lag) = self.lag.read(queue, self.clock.now())
        {
            self.status.send_modify(|status| status.lag = Some(lag));
        }
        let last = LastCheck::new(check.took, problem, check.outcome.as_ref().ok().cloned());
        self.status.send_modify(|status| status.last_check = Some(last));
        self.on(match check.outcome {
            Ok(reading) => Event::Polled { reading, asked: check.asked },
            Err(Failure::Full(cause)) => Event::Full(cause),
            Err(failure) => Event::PollFailed(failure.cause()),
        });
    }

    fn on_commit(&mut self, mut commit: Tried) {
        // One that was still under way when the canary was switched off.
        if !self.tuning.borrow().canary {
            return;
        }
        let sent = Instant::now().checked_sub(commit.took);
        let fence = sent.and_then(|sent| self.fence.borrow().seen_by(sent));
        if fence.is_some() && matches!(commit.outcome, Commit::Refused { .. }) {
            commit.outcome = Commit::Impossible("the agent has fenced its server".to_owned());
        }
        self.metrics.canary.tried(&commit);
        let before = self.status.borrow().canary.impossible_because.clone();
        self.status.send_modify(|status| status.canary.update(&commit));
        if let Commit::Impossible(cause) = &commit.outcome
            && before.as_ref() != Some(cause)
        {
            tracing::warn!(
                cause,
                "the canary cannot commit: a server that hangs on commits may go unnoticed"
            );
        }
        self.on(Event::Committed(commit.outcome));
    }

    /// A server that this agent has fenced is not written to, whatever its checks say.
    fn order(&self, leads: bool) {
        let may = self.tuning.borrow().canary && self.fence.borrow().fenced.is_none();
        self.orders.send_replace(self.health.canary(leads).filter(|_| may));
    }

    /// What the agent has done itself says nothing of the server. The fence is in `/status` on its own, and nobody registers
    /// behind it.
    fn forgive(&self, check: &mut Checked) {
        let fence = self.fence.borrow().seen_by(check.sent);
        let Ok(reading) = &mut check.outcome else { return };
        let (field, open) = match fence {
            Some(FenceMode::ReadOnly) => (&mut reading.read_only, "OFF"),
            Some(FenceMode::Reject) => (&mut reading.wsrep_reject_queries, "NONE"),
            Some(FenceMode::Off) | None => return,
        };
        *field = Some(open.to_owned());
    }

    fn on(&mut self, event: Event) {
        match self.health.on(event, self.clock.now()) {
            Change::None => {}
            Change::BecameFit => {
                self.logged.clear();
                tracing::info!("the server is fit to lead");
            }
            Change::BecameUnfit(unfit) => self.metrics.step_down(unfit.label()),
        }
        self.log_what_is_new();
        let verdict = self.health.verdict();
        self.metrics.fit.set(i64::from(verdict.fit));
        self.status.send_modify(|status| status.update(verdict));
    }

    /// One line for each kind of reason that keeps the server from leading, not for each check that repeats it.
    fn log_what_is_new(&mut self) {
        let Reason::Unfit(unfit) = &self.health.verdict().reason else { return };
        if !self.logged.contains(&unfit.label()) && *unfit != Unfit::NotChecked {
            self.logged.push(unfit.label());
            tracing::warn!(reason = %unfit, "the server is unfit to lead");
        }
    }
}
