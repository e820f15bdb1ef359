//! Tells the service manager that the proxy lives: from the control thread, and only if every worker has answered since
//! the last time. It ends nothing; the service manager does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::listener::WorkerHandle;
use super::shared::Shared;
use super::worker::Task;
use crate::service::Service;

/// Tells until the task is dropped.
pub async fn run(shared: Arc<Shared>, service: Service) {
    let Some(beat) = service.beat() else { return };
    let mut ticks = interval(beat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // Once the proxy stops nothing can be asked of them any more, and its end has a limit of its own.
        let workers = shared.workers.load_full();
        let silent = match &workers {
            Some(workers) => silent(workers, beat / 2).await,
            None => 0,
        };
        if silent == 0 {
            service.alive();
        } else {
            tracing::error!(
                silent,
                ?beat,
                "relay threads do not answer: the service manager is not told that the proxy lives"
            );
        }
    }
}

/// How many workers do not answer within `limit`.
async fn silent(workers: &[WorkerHandle], limit: Duration) -> usize {
    let asked: Vec<_> = workers
        .iter()
        .map(|worker| {
            let (reply, answer) = oneshot::channel();
            // One that has ended drops the question, which answers it as well.
            let _ = worker.inbox.send(Task::Answer { reply });
            answer
        })
        .collect();
    let mut silent = 0;
    let give_up_at = tokio::time::Instant::now() + limit;
    for answer in asked {
        let left = give_up_at.saturating_duration_since(tokio::time::Instant::now());
        silent += usize::from(timeout(left, answer).await.is_err());
    }
    silent
}
