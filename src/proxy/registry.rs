//! The sessions as an operator sees them: a list put together from every worker when it is asked for, and the order to
//! end one. The tables themselves are the workers'.

use std::sync::Arc;
use std::time::Duration;

use capitana_core::{EndReason, Epoch, Role};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::leash::{Leash, Phase};
use super::listener::WorkerHandle;
use super::worker::{Task, Worker};

/// A worker that does not answer in time is left out of a list.
const LIMIT: Duration = Duration::from_secs(2);

/// One session.
#[derive(Debug, Serialize)]
pub struct SessionInfo {
    /// Its number, unique in this process.
    pub id: u64,
    role: Role,
    client: String,
    phase: Phase,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<Epoch>,
    since_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<bool>,
}

impl SessionInfo {
    fn of(leash: &Leash) -> Self {
        let (route, seen) = (leash.route.get(), leash.seen.get());
        Self {
            id: leash.id,
            role: leash.role,
            client: leash.client.get().to_string(),
            phase: leash.phase(),
            upstream: route.map(|route| route.upstream.to_string()),
            epoch: route.map(|route| route.epoch),
            since_ms: leash.since_ms,
            thread_id: seen.and_then(|seen| seen.thread_id),
            user: seen.and_then(|seen| seen.user.clone()),
            capabilities: seen.and_then(|seen| seen.capabilities),
            tls: seen.map(|seen| seen.tls),
        }
    }
}

/// Every session there is, by number.
pub async fn list(workers: Arc<Vec<WorkerHandle>>) -> Vec<SessionInfo> {
    let mut sessions = Vec::new();
    for answer in ask(&workers, |reply| Task::List { reply }) {
        sessions.extend(timeout(LIMIT, answer).await.into_iter().flatten().flatten());
    }
    sessions.sort_by_key(|session| session.id);
    sessions
}

/// Ends a session. False: there is none of this number.
pub async fn end(workers: Arc<Vec<WorkerHandle>>, id: u64) -> bool {
    let mut found = false;
    for answer in ask(&workers, |reply| Task::End { id, reply }) {
        found |= matches!(timeout(LIMIT, answer).await, Ok(Ok(true)));
    }
    found
}

/// Asks all workers at once; one that has ended has no sessions.
fn ask<T>(workers: &[WorkerHandle], task: impl Fn(oneshot::Sender<T>) -> Task) -> Vec<oneshot::Receiver<T>> {
    let send = |inbox: &mpsc::UnboundedSender<Task>| {
        let (reply, answer) = oneshot::channel();
        inbox.send(task(reply)).ok().map(|()| answer)
    };
    workers.iter().filter_map(|worker| send(&worker.inbox)).collect()
}

impl Worker {
    /// Its sessions, in no order.
    pub fn list(&self) -> Vec<SessionInfo> {
        self.leashes().iter().map(|leash| SessionInfo::of(leash)).collect()
    }

    /// Ends a session for an operator, if it is here.
    pub fn end_for_operator(&self, id: u64) -> bool {
        let found = self.session(id);
        found.iter().for_each(|leash| leash.end(EndReason::Operator));
        found.is_some()
    }
}
