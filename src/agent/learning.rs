//! Keeps for the next start of the agent what this one learns of its server and of the election: an agent that is started
//! while it sees neither would take a Galera node for an ordinary server, and itself for the only candidate.

use tokio::sync::watch;

use super::state::{Learnt, State};
use super::status::{HealthStatus, Others, RegistrationStatus};
use crate::config::GaleraMode;

/// What was learnt, and where it is kept.
pub(super) struct Learning {
    state: Option<State>,
    learnt: Learnt,
}

impl Learning {
    /// Begins with what an earlier run has learnt. Without a state directory nothing is kept.
    pub(super) fn new(state: Option<State>, learnt: Learnt) -> Self {
        Self { state, learnt }
    }

    /// What an earlier run has learnt.
    pub(super) fn learnt(&self) -> &Learnt {
        &self.learnt
    }

    /// The candidates that an earlier run has read of.
    pub(super) fn others(&self) -> Others {
        self.learnt.others.clone()
    }

    /// Learns until the task is dropped. Whoever sets `galera = "off"` has what was learnt of that forgotten.
    pub(super) async fn run(
        self,
        galera: GaleraMode,
        mut health: watch::Receiver<HealthStatus>,
        mut registration: watch::Receiver<RegistrationStatus>,
    ) {
        let Some(state) = self.state else { return };
        loop {
            let says_so = says_galera(&health.borrow_and_update());
            let others = registration.borrow_and_update().others.clone();
            state.learn(|learnt| {
                learnt.galera = (learnt.galera || says_so) && galera != GaleraMode::Off;
                learnt.others = others;
            });
            tokio::select! {
                Ok(()) = health.changed() => {}
                Ok(()) = registration.changed() => {}
                else => return,
            }
        }
    }
}

fn says_galera(health: &HealthStatus) -> bool {
    let reading = health.last_check.as_ref().and_then(|check| check.reading.as_ref());
    reading.is_some_and(capitana_core::health::Reading::is_galera)
}
