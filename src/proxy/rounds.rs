//! One round of a drain: has the workers stop and report their stale sessions, asks the servers about the quiet ones,
//! and has the idle ones ended. When to make another round, and when enough is enough, is its callers' (`drain` for the
//! primary, `leavers` for replicas); the judgement is `capitana_core::drain`'s.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use capitana_core::drain::{LastWord, Thread, Verdict, judge};
use capitana_core::pulse::{LIMIT, patience};
use capitana_core::{EndReason, HostPort, Role};
use tokio::sync::oneshot;

use super::ask::{AskError, Asker, Patience};
use super::inspect::{Inspection, Quiet};
use super::leash::Stale;
use super::listener::WorkerHandle;
use super::shared::Shared;
use super::worker::Task;

/// Time between two rounds: more than the 100 ms that InnoDB keeps `INNODB_TRX` as it is while it is read.
const ROUND: Duration = Duration::from_millis(120);
/// The longest time between two rounds, where others read that table as well.
const LONGEST_ROUND: Duration = Duration::from_secs(2);
/// For so long sessions at work are left alone. Then they are stopped at the end of a statement, and those that are in no
/// transaction there end: the client learns that its next statement was not sent.
pub const LENIENCE: Duration = Duration::from_secs(1);

/// How long a replica may take to answer. Nobody waits for the end of its sessions as clients do for that of the old
/// primary's, so that one that is merely slow need not be taken for dead.
const UNHURRIED: Duration = Duration::from_secs(3);

/// The rounds of one drain after the other, with the connections to the servers that are asked.
pub struct Rounds<'a> {
    shared: &'a Shared,
    workers: &'a [WorkerHandle],
    role: Role,
    askers: HashMap<HostPort, Asker>,
    /// How long to wait before the next round.
    pub pause: Duration,
}

impl<'a> Rounds<'a> {
    /// For the sessions of one role.
    #[must_use]
    pub fn new(shared: &'a Shared, workers: &'a [WorkerHandle], role: Role) -> Self {
        Self { shared, workers, role, askers: HashMap::new(), pause: ROUND }
    }

    /// Has every worker stop and report its stale sessions. `patiently`: also those at work, at the end of what they do.
    pub async fn inspect(&self, stale: &Stale, patiently: bool) -> Vec<Inspection> {
        let mut replies = Vec::new();
        for worker in self.workers {
            let (reply, inspection) = oneshot::channel();
            // A worker that has ended has no sessions.
            if worker.inbox.send(Task::Inspect { stale: stale.clone(), patiently, reply }).is_ok() {
                replies.push(inspection);
            }
        }
        let mut inspections = Vec::new();
        for reply in replies {
            inspections.push(reply.await.unwrap_or_default());
        }
        self.shared.metrics.of(self.role).draining.set(left(&inspections) as i64);
        inspections
    }

    /// Ends what is idle and lets the rest go on.
    pub async fn settle(&mut self, inspections: Vec<Inspection>, stale: &Stale) {
        let asked = Instant::now();
        let mut threads = HashMap::new();
        for upstream in upstreams(&inspections) {
            let ids: Vec<u32> = inspections.iter().flat_map(|i| i.threads_of(&upstream)).collect();
            let answer = self.ask(&upstream, &ids, stale).await;
            threads.insert(upstream, answer);
        }
        for (worker, inspection) in self.workers.iter().zip(inspections) {
            let verdicts = inspection.quiet.iter().map(|quiet| {
                let answer = threads.get(&quiet.upstream).and_then(Option::as_ref);
                (quiet.session, answer.is_some_and(|threads| may_end(quiet, threads, asked)))
            });
            let _ = worker.inbox.send(Task::Settle(verdicts.collect()));
        }
    }

    /// Ends the stale sessions: those of one server, or all.
    pub fn end(&self, stale: &Stale, upstream: Option<&HostPort>, reason: EndReason) {
        for worker in self.workers {
            let end = Task::EndStale { stale: stale.clone(), upstream: upstream.cloned(), reason };
            let _ = worker.inbox.send(end);
        }
    }

    /// Closes the connections to servers.
    pub fn rest(&mut self) {
        self.askers.clear();
        self.pause = ROUND;
    }

    /// None: nothing can be said of these sessions now.
    async fn ask(&mut self, upstream: &HostPort, ids: &[u32], stale: &Stale) -> Option<HashMap<u32, Thread>> {
        let Some(account) = self.shared.monitor() else {
            // Two primaries are worse than a broken session. A replica that leaves does no harm to those it still has:
            // without somebody to ask they stay until they end, or until the time is over.
            if self.role == Role::Primary {
                self.end(stale, Some(upstream), EndReason::EpochEnded);
            }
            return None;
        };
        let silence = || self.shared.pulse().silence(upstream, self.shared.now());
        let patience = match self.role {
            Role::Primary => Patience { first: patience(silence()), later: LIMIT },
            Role::Replica => Patience { first: UNHURRIED, later: UNHURRIED },
        };
        let asker = self.askers.entry(upstream.clone());
        let asker = asker.or_insert_with(|| Asker::new(account, upstream, patience));
        let role = self.role.label();
        match asker.ask(ids).await {
            Ok(threads) => {
                self.pause = ROUND;
                Some(threads)
            }
            Err(AskError::Stale) => {
                self.pause = (self.pause.mul_f64(asker.jitter())).min(LONGEST_ROUND);
                None
            }
            Err(AskError::Refused(cause)) => {
                tracing::warn!(%upstream, role, cause, "the old server answers, but not to the drain's question");
                None
            }
            Err(AskError::Gone(cause)) => {
                let silence = self.shared.pulse().silence(upstream, self.shared.now());
                tracing::warn!(
                    %upstream, role, cause, silent_before = ?silence,
                    "the old server does not answer: its sessions are closed"
                );
                self.end(stale, Some(upstream), EndReason::EpochEnded);
                None
            }
        }
    }
}

/// How many sessions there are to drain.
#[must_use]
pub fn left(inspections: &[Inspection]) -> usize {
    inspections.iter().map(|inspection| inspection.left.values().sum::<usize>()).sum()
}

/// The servers that have sessions to drain.
#[must_use]
pub fn upstreams(inspections: &[Inspection]) -> Vec<HostPort> {
    let mut upstreams: Vec<_> = inspections.iter().flat_map(|i| i.left.keys().cloned()).collect();
    upstreams.sort();
    upstreams.dedup();
    upstreams
}

fn may_end(quiet: &Quiet, threads: &HashMap<u32, Thread>, asked: Instant) -> bool {
    let last = match quiet.client_spoke {
        Some(at) => LastWord::Client(asked.saturating_duration_since(at)),
        None => LastWord::Server,
    };
    let thread = threads.get(&quiet.thread_id).copied();
    !quiet.in_transaction && judge(last, thread) == Verdict::End
}
