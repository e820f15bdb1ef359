//! Drains sessions from members that serve as replicas no more: they left the election, became the primary, lag, or are
//! the primary that stood in while there was no replica. It runs on the control thread and owns how long each server's
//! sessions have had; a round is in `rounds`, who serves is `capitana_core::replicas`'s.

use std::sync::Arc;

use capitana_core::replicas::Departures;
use capitana_core::{EndReason, Role};
use tokio::time::sleep;

use super::leash::Stale;
use super::listener::WorkerHandle;
use super::rounds::{LENIENCE, Rounds, left, upstreams};
use super::shared::Shared;

/// Drains after each change of who serves, until the proxy stops.
pub async fn run(shared: Arc<Shared>, workers: Vec<WorkerHandle>) {
    let mut bell = shared.replicas.subscribe();
    let mut rounds = Rounds::new(&shared, &workers, Role::Replica);
    let mut departures = Departures::default();
    let mut draining = false;
    loop {
        bell.mark_unchanged();
        let stale = Stale::Elsewhere(shared.replicas.load_full());
        let patiently = departures.overdue(LENIENCE, shared.now()).next().is_some();
        let inspections = rounds.inspect(&stale, patiently).await;
        let servers = upstreams(&inspections);
        if draining == servers.is_empty() {
            draining = !draining;
            tell(draining, left(&inspections));
        }
        departures.see(servers, shared.now());
        if !draining {
            rounds.rest();
            tokio::select! {
                () = shared.stop.cancelled() => return,
                changed = bell.changed() => if changed.is_err() { return },
            }
            continue;
        }
        let limit = shared.config.load().drain_timeout;
        for upstream in departures.overdue(limit, shared.now()) {
            rounds.end(&stale, Some(upstream), EndReason::DrainTimeout);
        }
        rounds.settle(inspections, &stale).await;
        sleep(rounds.pause).await;
    }
}

fn tell(draining: bool, sessions: usize) {
    match draining {
        true => tracing::info!(sessions, "draining sessions of members that serve as replicas no more"),
        false => tracing::info!("no session is left on a member that serves as a replica no more"),
    }
}
