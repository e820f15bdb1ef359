//! Drains sessions of primaries that were replaced, round by round, until none is left or their time is over. It runs on
//! the control thread and owns the deadline; a round is in `rounds`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use capitana_core::{EndReason, Epoch, Role};
use tokio::time::sleep;

use super::leash::Stale;
use super::listener::WorkerHandle;
use super::rounds::{LENIENCE, Rounds, left};
use super::shared::Shared;

/// How much later than here a change of the primary may be seen by another proxy that still has ZooKeeper.
const OTHERS: Duration = Duration::from_secs(2);
/// Time between two lines about progress.
const PROGRESS: Duration = Duration::from_secs(5);

/// Drains after each change of the primary, until the proxy stops.
pub async fn run(shared: Arc<Shared>, workers: Vec<WorkerHandle>) {
    let mut bell = shared.routes.subscribe();
    let mut drained = shared.routes.load().newest();
    loop {
        let newest = shared.routes.load().newest();
        match newest {
            Some(epoch) if newest > drained => {
                Drain::new(&shared, &workers, epoch).run().await;
                drained = newest;
            }
            _ => tokio::select! {
                () = shared.stop.cancelled() => return,
                changed = bell.changed() => if changed.is_err() { return },
            },
        }
    }
}

/// What one drain has to know.
struct Drain<'a> {
    shared: &'a Shared,
    rounds: Rounds<'a>,
    newest: Epoch,
    started: Instant,
}

impl<'a> Drain<'a> {
    fn new(shared: &'a Shared, workers: &'a [WorkerHandle], newest: Epoch) -> Self {
        let rounds = Rounds::new(shared, workers, Role::Primary);
        Self { shared, rounds, newest, started: Instant::now() }
    }

    async fn run(mut self) {
        let limit = self.shared.config.load().drain_timeout;
        let mut told = Instant::now();
        let mut first = None;
        loop {
            let stale = Stale::Older(self.newest_of_all());
            let inspections = self.rounds.inspect(&stale, self.started.elapsed() >= LENIENCE).await;
            let left = left(&inspections);
            if first.is_none() && left > 0 {
                tracing::info!(
                    sessions = left,
                    epoch = self.newest.0,
                    "draining sessions of the old primary"
                );
            }
            first = first.or(Some(left));
            if left == 0 {
                let others = (limit + OTHERS).saturating_sub(self.started.elapsed());
                self.shared.barriers.drained(self.newest, others);
                self.shared.milestones.drained(self.newest);
                break;
            }
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                tracing::info!(sessions = left, "still draining");
            }
            if self.started.elapsed() >= limit {
                self.rounds.end(&Stale::Older(self.newest), None, EndReason::DrainTimeout);
                if self.newest_of_all() > self.newest {
                    // Sessions of the epochs in between have time of their own, in a drain of their own.
                    return;
                }
            } else {
                self.rounds.settle(inspections, &stale).await;
            }
            sleep(self.rounds.pause).await;
        }
        if first > Some(0) {
            let seconds = self.started.elapsed().as_secs_f64();
            tracing::info!(seconds, "no session of the old primary is left");
        }
    }

    /// A further primary may have been elected since this drain began.
    fn newest_of_all(&self) -> Epoch {
        self.shared.routes.load().newest().unwrap_or(self.newest)
    }
}
