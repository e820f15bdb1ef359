//! Keeps the command as `capitana_core::worker::Supervisor` decides: gathers what has happened, gives the orders, and
//! publishes. It decides nothing itself.

use std::time::Duration;

use capitana_core::candidacy::Wish;
use capitana_core::lease::Lease;
use capitana_core::worker::{End, Exit, Limits, Order, Patience, Rules, Supervisor};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::command::{Command, Happened, Recipe};
use super::metrics::WorkerMetrics;
use super::signals::{Meant, WorkerSignals};
use super::status::{CommandStatus, PlaceStatus, State};
use crate::clock::BootClock;
use crate::service::Service;

/// A sleep ends late after the machine was suspended: the clock is looked at so often at least.
const LOOK: Duration = Duration::from_secs(1);

/// How a worker's work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As the supervisor says.
    Ended(End),
    /// Its turn has not come in this time.
    NotInTime(Duration),
}

/// Keeps one command.
pub(super) struct Keeper {
    supervisor: Supervisor,
    recipe: Recipe,
    metrics: WorkerMetrics,
    wish: watch::Sender<Wish>,
    idle: watch::Sender<bool>,
    status: watch::Sender<CommandStatus>,
    command: Option<Command>,
    service: Service,
    said: String,
}

impl Keeper {
    /// One that has not begun. The channels are where it says what it wants of the znode, and whether nothing runs.
    pub(super) fn new(
        rules: Rules,
        recipe: Recipe,
        metrics: WorkerMetrics,
        (wish, idle): (watch::Sender<Wish>, watch::Sender<bool>),
    ) -> Self {
        Self {
            supervisor: Supervisor::new(rules),
            recipe,
            metrics,
            wish,
            idle,
            status: watch::Sender::new(CommandStatus::default()),
            command: None,
            service: Service::from_environment(),
            said: String::new(),
        }
    }

    /// Where it says how the command is.
    pub(super) fn published(&self) -> watch::Receiver<CommandStatus> {
        self.status.subscribe()
    }

    /// Works until nothing is left to do. `patience`: how long the first turn is waited for.
    pub(super) async fn run(
        mut self,
        mut place: watch::Receiver<PlaceStatus>,
        mut lease: watch::Receiver<Lease>,
        mut signals: WorkerSignals,
        mut patience: Option<Patience>,
    ) -> Verdict {
        let began = Instant::now();
        loop {
            let (turn, held) = (place.borrow_and_update().turn, *lease.borrow_and_update());
            self.supervisor.on_turn(turn, held);
            self.act();
            self.limit(&held);
            self.tell(&place.borrow());
            if let Some(end) = self.supervisor.end_of_all() {
                self.service.stopping("giving the place in line up");
                return Verdict::Ended(end);
            }
            patience = patience.filter(|_| self.status.borrow().starts == 0);
            let limit = patience.map(|patience| patience.ends_after(place.borrow().is_known(), turn));
            if let Some(limit) = limit.filter(|limit| began.elapsed() >= *limit) {
                return Verdict::NotInTime(limit);
            }
            let left = limit.map_or(Duration::MAX, |limit| limit.saturating_sub(began.elapsed()));
            let pause = self.pause().min(left);
            tokio::select! {
                Ok(()) = place.changed() => {}
                Ok(()) = lease.changed() => {}
                happened = happens(&mut self.command) => self.on_command(happened),
                meant = signals.next() => self.on_signal(meant),
                () = sleep(pause) => {}
            }
        }
    }

    fn pause(&self) -> Duration {
        let now = BootClock.now();
        let wake_at = self.supervisor.wake_at(now).unwrap_or(Duration::MAX);
        wake_at.saturating_sub(now).min(self.service.beat().unwrap_or(LOOK)).min(LOOK)
    }

    /// The guard is told how long the lease lasts now. After `act`, so that the supervisor knows whose lease it is: the
    /// registrar says that the turn is over before it opens another session, and so before that one's first heartbeat.
    fn limit(&self, lease: &Lease) {
        if let (true, Some(command), Some(limits)) =
            (self.supervisor.lasts_with_the_lease(), &self.command, Limits::of(lease))
        {
            command.limit(limits);
        }
    }

    fn act(&mut self) {
        while let Some(order) = self.supervisor.order(BootClock.now()) {
            match (order, &mut self.command) {
                (Order::Start(token, limits), None) => self.start(token, limits),
                (Order::End(grace), Some(command)) => {
                    tracing::info!(stopping = self.status.borrow().stopping, "asking the command to end");
                    command.end(grace);
                    self.ending();
                }
                (Order::Kill, Some(command)) => {
                    tracing::warn!(
                        "killing the command: its turn is lost or in doubt, or it was not to be waited for"
                    );
                    command.kill();
                    self.ending();
                }
                (Order::Start(..), Some(_)) | (Order::End(_) | Order::Kill, None) => {}
            }
        }
        self.wish.send_if_modified(|wish| {
            std::mem::replace(wish, self.supervisor.wish()) != self.supervisor.wish()
        });
    }

    fn start(&mut self, token: capitana_core::Epoch, limits: Limits) {
        self.idle.send_replace(false);
        self.metrics.starts.inc();
        self.status.send_modify(|status| {
            status.starts += 1;
            status.state = State::Running;
        });
        match Command::start(&self.recipe, token, limits) {
            Ok(command) => {
                tracing::info!(%token, "it is this worker's turn: starting the command");
                self.command = Some(command);
            }
            Err(error) => self.ended(Exit::Code(126), Some(format!("cannot start a guard: {error}"))),
        }
    }

    fn ending(&self) {
        self.status.send_modify(|status| status.state = State::Ending);
        if !self.status.borrow().stopping {
            self.metrics.interrupted.inc();
        }
    }

    fn on_command(&mut self, happened: Happened) {
        match happened {
            Happened::Started(pid) => {
                self.metrics.running.set(1);
                self.status.send_modify(|status| status.pid = Some(pid));
            }
            Happened::Failed(exit, why) => self.ended(exit, Some(why)),
            Happened::Ended(exit) => self.ended(exit, None),
        }
    }

    fn ended(&mut self, exit: Exit, why: Option<String>) {
        self.command = None;
        self.metrics.running.set(0);
        self.metrics.exit(exit);
        self.status.send_modify(|status| {
            (status.state, status.pid) = (State::Waiting, None);
            status.last_status = Some(exit.status());
        });
        match why {
            Some(why) => tracing::error!("{why}"),
            None if exit.succeeded() => tracing::info!("the command has ended"),
            None => tracing::warn!(status = exit.status(), "the command has ended"),
        }
        self.supervisor.on_ended(exit, BootClock.now());
        self.act();
        // Last: what the supervisor wants of the znode is known before the registrar may delete it.
        self.idle.send_replace(self.command.is_none());
    }

    fn on_signal(&mut self, meant: Meant) {
        match (meant, &self.command) {
            (Meant::Stop, _) => {
                tracing::info!("stopping");
                self.status.send_modify(|status| status.stopping = true);
                self.supervisor.on_stop();
            }
            (Meant::Command(signal), Some(command)) => command.signal(signal),
            (Meant::Command(signal), None) => tracing::info!(?signal, "nothing runs that could be told"),
        }
    }

    /// Tells the service manager.
    fn tell(&mut self, place: &PlaceStatus) {
        let line = match (self.status.borrow().state, place.before) {
            (State::Running, _) => "running".to_owned(),
            (State::Ending, _) => "ending the command".to_owned(),
            (State::Waiting, Some(before)) => format!("waiting, {before} before it"),
            (State::Waiting, None) => "not in line".to_owned(),
        };
        if place.before.is_some() && self.said.is_empty() {
            self.service.ready(&line);
        } else if !self.said.is_empty() && self.said != line {
            self.service.status(&line);
        }
        if place.before.is_some() || !self.said.is_empty() {
            self.said = line;
        }
        if self.service.beat().is_some() {
            self.service.alive();
        }
    }
}

async fn happens(command: &mut Option<Command>) -> Happened {
    match command {
        Some(command) => command.next().await,
        None => std::future::pending().await,
    }
}
