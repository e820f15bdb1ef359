//! Puts the election's decisions into effect, and the rules for replicas as they are set: shuts the route, has the barrier
//! led before it is opened, and writes the election's part in `/status`. It owns the pure `Election` and does no IO.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use capitana_core::election::{Change, Event, newly_skipped};
use capitana_core::failover::{BarrierEnd, EndedBy};
use capitana_core::limit::RateLimit;
use capitana_core::replicas::{Replicas, Serving};
use capitana_core::{Election, Epoch, Link, Role, Route, View};
use serde::Serialize;
use tokio::sync::watch;

use super::lead::reason_to_skip;
use super::route::RouteState;
use super::shared::Shared;

/// Lines about members that are not followed, at once; one more each second.
const EXAMPLES: u32 = 10;

/// The election as `/status` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct ElectionStatus {
    /// The election's path in ZooKeeper; none with a fixed primary.
    pub path: Option<String>,
    /// Whether ZooKeeper answers.
    pub connected: bool,
    /// The state of the link, with the cause where it is down.
    pub link: Link,
    /// The primary that is elected. Its route is open once its barrier has passed.
    pub primary: Option<Route>,
    /// Candidates in order, and children that are none.
    #[serde(flatten)]
    pub view: View,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_no_route: Option<String>,
    /// When the view was read or found unchanged, by the proxy's clock.
    #[serde(skip)]
    pub read_at: Option<Duration>,
}

/// Puts decisions into effect.
pub struct Director {
    shared: Arc<Shared>,
    election: Election,
    replicas: Replicas,
    status: watch::Sender<ElectionStatus>,
    path: String,
    /// Rings when others are set.
    settings: watch::Receiver<()>,
    /// Lines about members that are not followed.
    skips: RateLimit,
    /// Lines about how many more there are.
    summaries: RateLimit,
}

impl Director {
    /// A director of the election at `path`, and where its status is published.
    #[must_use]
    pub fn new(shared: Arc<Shared>, path: String) -> (Self, watch::Receiver<ElectionStatus>) {
        let settings = shared.subscribe_settings();
        let election = Election::new(shared.config.load().allow_upstreams.clone());
        let (status, receiver) = watch::channel(snapshot(&path, &election));
        let (skips, summaries) = (RateLimit::new(1, EXAMPLES), RateLimit::new(1, 1));
        let replicas = Replicas::default();
        (Self { shared, election, replicas, status, path, settings, skips, summaries }, receiver)
    }

    /// Takes in what the follower saw.
    pub fn on(&mut self, event: Event) {
        let before = (self.election.view().clone(), self.election.link().clone());
        let followed = self.election.route().map(|route| route.epoch);
        let failed_before = self.election.read_failure().map(str::to_owned);
        let change = self.election.on(event, self.shared.now());
        self.report_read_failure(failed_before.as_deref());
        self.report_link(&before.1);
        self.report_skipped(&before.0);
        match change {
            Change::None => {}
            Change::Stale => {
                self.shared.metrics.stale_readings.inc();
                tracing::warn!(
                    "ZooKeeper answered with an election older than one already seen; ignored (restart this proxy if \
                     ZooKeeper was set up anew)"
                );
            }
            Change::Closed => {
                self.lost(followed);
                self.shared.barriers.lost();
                tracing::warn!(path = self.path, "no primary: new clients wait, open sessions go on");
            }
            Change::Opened(route) => {
                self.lost(followed);
                self.elected(&route);
            }
        }
        self.publish();
    }

    /// Whether it matters how long members' queues are.
    #[must_use]
    pub fn minds_lags(&self) -> bool {
        self.shared.config.load().replica_rules.max_lag.is_some()
    }

    /// Puts settings into effect that change while `future` is waited for, by what is known of the election.
    pub async fn meanwhile<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        loop {
            tokio::select! {
                biased;
                done = &mut future => return done,
                () = self.settings_changed() => self.publish(),
            }
        }
    }

    /// Puts settings into effect as they change, until `minds_lags` is not what it was. Dropping the future loses nothing.
    pub async fn minds_lags_otherwise_than(&mut self, minded: bool) {
        while self.minds_lags() == minded {
            self.settings_changed().await;
            self.publish();
        }
    }

    async fn settings_changed(&mut self) {
        // The bell is there as long as `shared`.
        if self.settings.changed().await.is_err() {
            pending::<()>().await;
        }
    }

    fn lost(&self, followed: Option<Epoch>) {
        if let Some(epoch) = followed {
            let is_there = self.election.view().skipped.iter().any(|skipped| skipped.epoch == epoch);
            self.shared.milestones.lost(if is_there { EndedBy::ZnodeUnusable } else { EndedBy::ZnodeGone });
        }
    }

    fn elected(&self, route: &Route) {
        tracing::info!(upstream = %route.upstream, epoch = route.epoch.0, "a new primary is elected");
        self.shared.milestones.elected(route);
        if self.shared.milestones.failover(route.epoch).is_some() {
            self.shared.metrics.failovers.inc();
        }
        let skip = reason_to_skip(&self.shared.config.load());
        self.shared.barriers.elected(route, skip);
        if skip.is_some() {
            self.shared.metrics.durations.barrier_ended(BarrierEnd::Skipped);
            self.shared.milestones.barrier_ended(route.epoch, BarrierEnd::Skipped);
        }
    }

    fn publish(&mut self) {
        let route = self.election.route();
        let newest = self.election.newest_epoch();
        self.shared.direct(match route {
            Some(route) if self.shared.barriers.is_open(route.epoch) => RouteState::Open(route.clone()),
            Some(route) => {
                let upstream = &route.upstream;
                let why =
                    format!("the new one, {upstream}, has not applied every earlier write yet (barrier)");
                RouteState::Closed { why, newest }
            }
            None => RouteState::Closed { why: self.election.why_no_route().unwrap_or_default(), newest },
        });
        let rules = self.shared.config.load().replica_rules;
        let serving = self.replicas.serving(&self.election.view().members, route, rules);
        self.shared.serve(serving);
        let metrics = &self.shared.metrics;
        metrics.zookeeper_connected.set(i64::from(*self.election.link() == Link::Up));
        metrics.members.set(self.election.view().members.len() as i64);
        self.status.send_replace(snapshot(&self.path, &self.election));
    }

    fn report_link(&self, before: &Link) {
        match (before, self.election.link()) {
            (before, now) if before == now => {}
            (_, Link::Up) => tracing::info!("ZooKeeper answers"),
            (_, Link::NeverUp(cause)) => {
                let cause = cause.as_deref().unwrap_or("unknown");
                tracing::warn!(cause, "ZooKeeper cannot be reached; trying on");
            }
            (Link::Down(_), Link::Down(_)) => {}
            (_, Link::Down(cause)) => tracing::warn!(cause, "ZooKeeper is lost; the route stays as it is"),
        }
    }

    /// Once for each cause, not for each attempt.
    fn report_read_failure(&self, before: Option<&str>) {
        match self.election.read_failure() {
            Some(cause) if before != Some(cause) => {
                tracing::warn!(cause, "the election could not be read; trying again");
            }
            _ => {}
        }
    }

    fn report_skipped(&mut self, before: &View) {
        let skipped = newly_skipped(before, self.election.view());
        let mut untold = 0_usize;
        for skipped in &skipped {
            self.shared.metrics.member_skipped(skipped.reason);
            let Some(suppressed) = self.skips.admit(self.shared.now()) else {
                self.shared.metrics.log_suppressed.inc();
                untold += 1;
                continue;
            };
            tracing::warn!(
                member = skipped.name,
                epoch = skipped.epoch.0,
                reason = skipped.reason.label(),
                suppressed,
                "a member of the election is not followed"
            );
        }
        // One line for each change at most, and not for each of a thousand changes.
        if untold > 0 && self.summaries.admit(self.shared.now()).is_some() {
            tracing::warn!(
                members = untold,
                examples = skipped.len() - untold,
                "more members of the election are not followed; /status lists them"
            );
        }
    }
}

impl Shared {
    /// Has new sessions go this way from now on. Only the control thread may call this.
    pub fn direct(&self, state: RouteState) {
        let open = match &state {
            RouteState::Open(route) => Some(route.clone()),
            RouteState::Closed { .. } => None,
        };
        let is_new = self.routes.set(state);
        self.metrics.epoch.set(open.as_ref().map_or(0, |route| route.epoch.0));
        self.metrics.route_open.set(i64::from(open.is_some()));
        if let Some(route) = open.filter(|_| is_new) {
            self.milestones.swapped(route.epoch, self.metrics.of(Role::Primary).held.get());
            let failover = self.milestones.failover(route.epoch);
            tracing::info!(
                upstream = %route.upstream,
                epoch = route.epoch.0,
                from = failover.as_ref().map(|failover| failover.from.upstream.to_string()),
                without_primary_ms = failover.map(|failover| failover.without_primary_ms),
                barrier = %self.barriers.state(),
                "following a new primary"
            );
        }
    }
}

impl Shared {
    /// Has new sessions that only read go to these from now on. Only the control thread may call this.
    fn serve(&self, serving: Serving) {
        self.metrics.replicas.set(if serving.by_fallback { 0 } else { serving.members.len() as i64 });
        let members: Vec<_> =
            serving.members.iter().map(|replica| replica.route.upstream.to_string()).collect();
        let by_fallback = serving.by_fallback;
        if self.replicas.set(serving) {
            tracing::info!(?members, by_fallback, "who serves as a replica has changed");
        }
    }
}

fn snapshot(path: &str, election: &Election) -> ElectionStatus {
    ElectionStatus {
        path: Some(path.to_owned()),
        connected: *election.link() == Link::Up,
        link: election.link().clone(),
        primary: election.route().cloned(),
        view: election.view().clone(),
        why_no_route: election.why_no_route(),
        read_at: election.read_at(),
    }
}
