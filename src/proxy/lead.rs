//! Leads each new primary through its barrier: makes the causal reads and opens it. It runs on the control thread and
//! owns limits and retries; a newer election ends what it does for the one before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use capitana_core::Route;
use capitana_core::failover::BarrierEnd;
use tokio::time::{sleep, timeout};

use super::barrier::State;
use super::causal::{Answer, Causal};
use super::route::RouteState;
use super::shared::Shared;
use crate::config::{BarrierFallback, ProxyConfig};
use crate::mariadb::words;

/// Pause after a causal read that failed. A member that is not ready yet refuses at once.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Why there is no barrier without an account.
const NO_ACCOUNT: &str = "no monitor-user";
/// Why there is none on a server without Galera.
const NO_GALERA: &str = "the server knows no wsrep_sync_wait, so it is not a member of a Galera cluster";

/// Why a new primary has no barrier, if it has none.
#[must_use]
pub fn reason_to_skip(config: &ProxyConfig) -> Option<&'static str> {
    config.monitor.is_none().then_some(NO_ACCOUNT)
}

/// Leads every primary that is elected, until the proxy stops.
pub async fn run(shared: Arc<Shared>) {
    if shared.config.load().monitor.is_none() {
        tracing::warn!(
            "no monitor-user: new primaries open without a barrier, so that a first read after a failover may miss \
             writes, and sessions of a replaced primary are closed at once"
        );
    }
    let mut elected = shared.barriers.elected.subscribe();
    loop {
        let route = elected.borrow_and_update().clone();
        let leading = async {
            if let Some(route) = route {
                Lead { shared: &shared, route }.run().await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            changed = elected.changed() => if changed.is_err() { return },
            () = leading => {}
        }
    }
}

/// One primary's barrier.
struct Lead<'a> {
    shared: &'a Shared,
    route: Route,
}

impl Lead<'_> {
    /// The first causal read opens the primary. While old sessions drain, each client that comes meanwhile wants one
    /// more, and one after the drain covers everybody.
    async fn run(self) {
        let (barriers, epoch) = (&self.shared.barriers, self.route.epoch);
        let Some(account) = self.shared.monitor() else {
            return self.give_up(BarrierEnd::Skipped, State::Skipped(NO_ACCOUNT));
        };
        self.shared.milestones.barrier_begun(epoch);
        let mut causal = Causal::new(account, &self.route.upstream);
        let mut wanted = barriers.wanted.subscribe();
        loop {
            let Some(begun) = self.pass(&mut causal).await else { return };
            if barriers.is_settled(epoch) {
                return causal.close().await;
            }
            if wanted.wait_for(|since| *since > begun).await.is_err() {
                return;
            }
        }
    }

    /// Makes a causal read, and tries on until one has passed; answers when it began. None: no more are to be made.
    async fn pass(&self, causal: &mut Causal) -> Option<Duration> {
        let mut since = Instant::now();
        loop {
            let limit = self.shared.config.load().barrier_timeout;
            let read = timeout(limit.saturating_sub(since.elapsed()), causal.read(|| self.shared.now()));
            let cause = match read.await {
                Ok(Ok(Answer::Passed(begun))) => {
                    self.passed(begun);
                    return Some(begun);
                }
                Ok(Ok(Answer::NoGalera)) => {
                    self.give_up(BarrierEnd::Skipped, State::Skipped(NO_GALERA));
                    return None;
                }
                Ok(Err(error)) => words(&error),
                Err(_) => "it has not applied every earlier write yet, or does not answer".to_owned(),
            };
            self.shared.barriers.failed(&cause);
            if since.elapsed() >= limit {
                if self.timed_out(limit, &cause) {
                    return None;
                }
                since = Instant::now();
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    fn passed(&self, begun: Duration) {
        if let Some(took) = self.shared.barriers.passed(self.route.epoch, begun) {
            self.shared.metrics.durations.barrier.observe(took.as_secs_f64());
            self.ended(BarrierEnd::Passed);
        }
    }

    /// Whether the primary is open now.
    fn timed_out(&self, limit: Duration, cause: &str) -> bool {
        let upstream = &self.route.upstream;
        let opens = self.shared.config.load().barrier_fallback == BarrierFallback::Open;
        if opens {
            tracing::warn!(
                %upstream, cause, ?limit,
                "a causal read on the new primary did not pass within barrier-timeout: clients are let in, and may \
                 miss writes (barrier-fallback = open)"
            );
            self.give_up(BarrierEnd::TimedOut, State::GivenUp(cause.to_owned()));
        } else {
            tracing::warn!(
                %upstream, cause, ?limit,
                "a causal read on the new primary did not pass within barrier-timeout: clients wait on \
                 (barrier-fallback = hold)"
            );
        }
        opens
    }

    fn give_up(&self, end: BarrierEnd, why: State) {
        self.shared.barriers.waive(self.route.epoch, why);
        self.ended(end);
    }

    fn ended(&self, end: BarrierEnd) {
        self.shared.metrics.durations.barrier_ended(end);
        self.shared.milestones.barrier_ended(self.route.epoch, end);
        self.shared.direct(RouteState::Open(self.route.clone()));
    }
}
