//! What the wish for a znode is made of: the verdict on the server, an operator's word, and the agent's end, each
//! followed where it is published. The decision is `capitana_core::candidacy`'s, the znode the registrar's.

use capitana_core::candidacy::{Fitness, Inputs, Standing, standing};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::fence::FenceStatus;
use super::operator::SteppedDown;
use super::status::HealthStatus;
use super::tuning::Tuning;
use crate::clock::BootClock;

/// Follows everything that decides whether the agent wants a znode. Clones follow by themselves.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The verdicts on the server.
    pub health: watch::Receiver<HealthStatus>,
    /// An operator's word; none: nobody asked the agent to stay out.
    pub stepped_down: watch::Receiver<Option<SteppedDown>>,
    /// Cancelled when the agent is asked to end.
    pub stop: CancellationToken,
    /// The settings; of them, how long the agent waits after its server became fit.
    pub tuning: watch::Receiver<Tuning>,
    /// Whether this agent has fenced its server.
    pub fence: watch::Receiver<FenceStatus>,
}

impl Candidate {
    /// How the agent stands now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let inputs = Inputs {
            fitness: fitness(&self.health.borrow()),
            stopping: self.stop.is_cancelled(),
            stepped_down: self.stepped_down.borrow().is_some(),
            fenced: self.fence.borrow().fenced.is_some(),
        };
        standing(inputs, self.tuning.borrow().delay)
    }

    /// Why the agent stands as it does, for people.
    #[must_use]
    pub fn reason(&self) -> String {
        match self.standing() {
            standing @ (Standing::Stopping | Standing::Delayed { .. } | Standing::Outdated) => {
                standing.to_string()
            }
            standing @ Standing::Fenced => match &self.fence.borrow().fenced {
                Some(fenced) => format!("{standing} since {}: {}", fenced.since, fenced.why),
                None => standing.to_string(),
            },
            Standing::SteppedDown => {
                self.stepped_down.borrow().as_ref().map(ToString::to_string).unwrap_or_default()
            }
            Standing::Candidate | Standing::Undecided | Standing::Unfit => {
                self.health.borrow().reason.clone()
            }
        }
    }

    /// Returns when the agent may stand differently than before. `told_to_stop`: that it is to end is known.
    pub async fn changed(&mut self, told_to_stop: bool) {
        let left = match self.standing() {
            Standing::Delayed { left } => Some(left),
            _ => None,
        };
        tokio::select! {
            () = self.stop.cancelled(), if !told_to_stop => {}
            Ok(()) = self.health.changed() => {}
            Ok(()) = self.stepped_down.changed() => {}
            Ok(()) = self.fence.changed() => {}
            Ok(()) = self.tuning.changed() => {}
            () = tokio::time::sleep(left.unwrap_or_default()), if left.is_some() => {}
            else => std::future::pending().await,
        }
    }
}

fn fitness(health: &HealthStatus) -> Fitness {
    match (health.fit, health.undecided) {
        (true, _) if !health.proof.holds_at(BootClock.now()) => Fitness::Outdated,
        (true, _) => Fitness::Fit { lasting: health.since_at.elapsed() },
        (false, true) => Fitness::Undecided,
        (false, false) => Fitness::Unfit,
    }
}
