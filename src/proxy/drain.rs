//! Drains sessions of primaries that were replaced: round by round it has the workers inspect their sessions, asks the
//! old servers about the quiet ones, and has the idle ones ended. It runs on the control thread and owns the rounds and
//! the deadline; the judgement is `capitana_core::drain`'s.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use capitana_core::drain::{LastWord, Thread, Verdict, judge};
use capitana_core::pulse::patience;
use capitana_core::{EndReason, Epoch, HostPort};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::ask::{AskError, Asker};
use super::inspect::{Inspection, Quiet};
use super::listener::WorkerHandle;
use super::shared::Shared;
use super::worker::Task;

/// Time between two rounds: more than the 100 ms that InnoDB keeps `INNODB_TRX` as it is while it is read.
const ROUND: Duration = Duration::from_millis(120);
/// The longest time between two rounds, where others read that table as well.
const LONGEST_ROUND: Duration = Duration::from_secs(2);
/// For so long sessions at work are left alone. Then they are stopped at the end of a statement, and those that are in no
/// transaction there end: the client learns that its next statement was not sent.
const LENIENCE: Duration = Duration::from_secs(1);
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
    workers: &'a [WorkerHandle],
    newest: Epoch,
    started: Instant,
    askers: HashMap<HostPort, Asker>,
    round: Duration,
}

impl<'a> Drain<'a> {
    fn new(shared: &'a Shared, workers: &'a [WorkerHandle], newest: Epoch) -> Self {
        let (started, askers) = (Instant::now(), HashMap::new());
        Self { shared, workers, newest, started, askers, round: ROUND }
    }

    async fn run(mut self) {
        let limit = self.shared.config.load().drain_timeout;
        let mut told = Instant::now();
        let mut first = None;
        loop {
            let inspections = self.inspect().await;
            let left: usize = inspections.iter().map(|i| i.left.values().sum::<usize>()).sum();
            self.shared.metrics.draining.set(left as i64);
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
                self.end_all(None, EndReason::DrainTimeout);
                if self.newest_of_all() > self.newest {
                    // Sessions of the epochs in between have time of their own, in a drain of their own.
                    return;
                }
            } else {
                self.settle(inspections).await;
            }
            sleep(self.round).await;
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

    async fn inspect(&self) -> Vec<Inspection> {
        let newest = self.newest_of_all();
        let patiently = self.started.elapsed() >= LENIENCE;
        let mut replies = Vec::new();
        for worker in self.workers {
            let (reply, inspection) = oneshot::channel();
            // A worker that has ended has no sessions.
            if worker.inbox.send(Task::Inspect { newest, patiently, reply }).is_ok() {
                replies.push(inspection);
            }
        }
        let mut inspections = Vec::new();
        for reply in replies {
            inspections.push(reply.await.unwrap_or_default());
        }
        inspections
    }

    /// Ends what is idle and lets the rest go on.
    async fn settle(&mut self, inspections: Vec<Inspection>) {
        let asked = Instant::now();
        let mut threads = HashMap::new();
        for upstream in upstreams(&inspections) {
            let ids: Vec<u32> = inspections.iter().flat_map(|i| i.threads_of(&upstream)).collect();
            let answer = self.ask(&upstream, &ids).await;
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

    /// None: nothing can be said of these sessions now.
    async fn ask(&mut self, upstream: &HostPort, ids: &[u32]) -> Option<HashMap<u32, Thread>> {
        let Some(account) = &self.shared.config.load().monitor else {
            self.end_all(Some(upstream), EndReason::EpochEnded);
            return None;
        };
        let silence = || self.shared.pulse().silence(upstream, self.shared.now());
        let asker = self.askers.entry(upstream.clone());
        let asker = asker.or_insert_with(|| Asker::new(account, upstream, patience(silence())));
        match asker.ask(ids).await {
            Ok(threads) => {
                self.round = ROUND;
                Some(threads)
            }
            Err(AskError::Stale) => {
                self.round = (self.round.mul_f64(asker.jitter())).min(LONGEST_ROUND);
                None
            }
            Err(AskError::Refused(cause)) => {
                tracing::warn!(%upstream, cause, "the old primary answers, but not to the drain's question");
                None
            }
            Err(AskError::Gone(cause)) => {
                let silence = self.shared.pulse().silence(upstream, self.shared.now());
                tracing::warn!(
                    %upstream, cause, silent_before = ?silence,
                    "the old primary does not answer: its sessions are closed"
                );
                self.end_all(Some(upstream), EndReason::EpochEnded);
                None
            }
        }
    }

    /// Ends the old sessions: those of one server, of whatever epoch, or all whose time this drain measures.
    fn end_all(&self, upstream: Option<&HostPort>, reason: EndReason) {
        let newest = if upstream.is_some() { self.newest_of_all() } else { self.newest };
        for worker in self.workers {
            let end = Task::EndOlder { newest, upstream: upstream.cloned(), reason };
            let _ = worker.inbox.send(end);
        }
    }
}

fn upstreams(inspections: &[Inspection]) -> Vec<HostPort> {
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
