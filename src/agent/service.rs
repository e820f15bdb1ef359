//! Tells the service manager of the agent: ready once the server has been checked for the first time, what it is at, and
//! alive for as long as the health loop takes results in. Frozen, it is started anew.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::candidate::Candidate;
use super::status::RegistrationStatus;
use crate::service::Service;

/// Checks that may be missing before the loop counts as frozen. One that is not answered is reported in time as well.
const MISSED_CHECKS: u32 = 2;

/// Follows the health loop.
pub(super) struct Teller {
    candidate: Candidate,
    registration: watch::Receiver<RegistrationStatus>,
    /// When the last result was taken in, and of which check.
    last: (Instant, String),
    said: String,
}

impl Teller {
    /// One that follows these.
    pub(super) fn new(candidate: Candidate, registration: watch::Receiver<RegistrationStatus>) -> Self {
        Self { candidate, registration, last: (Instant::now(), String::new()), said: String::new() }
    }

    /// Tells until the agent stops.
    pub(super) async fn run(mut self, service: Service) {
        let stop = self.candidate.stop.clone();
        let mut ready = false;
        // Without a watchdog the ticks come all the same, rarely, and are not told.
        let mut ticks = interval(service.beat().unwrap_or(self.patience()));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.take_in();
            if !ready && !self.last.1.is_empty() {
                ready = true;
                self.said = self.line();
                service.ready(&self.said);
            } else if ready && self.said != self.line() {
                self.said = self.line();
                service.status(&self.said);
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.candidate.changed(true) => {}
                Ok(()) = self.registration.changed() => {}
                _ = ticks.tick() => if service.beat().is_some() && self.last.0.elapsed() <= self.patience() {
                    service.alive();
                },
            }
        }
        service.stopping("leaving the election");
        // The end takes as long as ZooKeeper needs, and has a limit of its own: it is no freeze.
        loop {
            ticks.tick().await;
            service.alive();
        }
    }

    /// How long there may be no result: checks, and the pauses before them.
    fn patience(&self) -> Duration {
        let pace = self.candidate.tuning.borrow().pace();
        MISSED_CHECKS * (pace.interval + pace.limit)
    }

    fn take_in(&mut self) {
        let health = self.candidate.health.borrow();
        if let Some(check) = health.last_check.as_ref().filter(|check| check.at != self.last.1) {
            self.last = (Instant::now(), check.at.clone());
        }
    }

    fn line(&self) -> String {
        let registration = self.registration.borrow();
        match (&registration.registered, registration.leads) {
            (Some(_), true) => "primary".to_owned(),
            (Some(_), false) => "candidate".to_owned(),
            (None, _) => format!("no candidate: {}", self.candidate.reason()),
        }
    }
}
