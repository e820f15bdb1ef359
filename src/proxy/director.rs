//! Puts the election's decisions into effect: the one writer of the route, of the election's part in `/status`, and of
//! the record of failovers. It owns the pure `Election` and does no IO.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use capitana_core::election::{Change, Event, newly_skipped};
use capitana_core::{Election, Link, Route, View};
use serde::Serialize;
use tokio::sync::watch;

use super::route::RouteState;
use super::shared::Shared;

/// Failovers that are remembered for `/status`.
const REMEMBERED: usize = 32;

/// The election as `/status` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct ElectionStatus {
    /// The election's path in ZooKeeper; none with a fixed primary.
    pub path: Option<String>,
    /// Whether ZooKeeper answers.
    pub connected: bool,
    /// The state of the link, with the cause where it is down.
    pub link: Link,
    /// Candidates in order, and children that are none.
    #[serde(flatten)]
    pub view: View,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_no_route: Option<String>,
    /// The last changes of the primary, oldest first.
    #[serde(skip)]
    pub failovers: Vec<Failover>,
}

/// One change of the primary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failover {
    /// When the new route was in effect, in milliseconds since 1970 UTC.
    pub at_ms: u64,
    /// The primary before.
    pub from: Option<Route>,
    /// The primary since.
    pub to: Route,
    /// How long there was no primary in between, in milliseconds.
    pub without_primary_ms: u64,
}

/// Puts decisions into effect.
pub struct Director {
    shared: Arc<Shared>,
    election: Election,
    status: watch::Sender<ElectionStatus>,
    path: String,
    last: Option<Route>,
    closed_since: Option<Duration>,
    failovers: Vec<Failover>,
}

impl Director {
    /// A director of the election at `path`, and where its status is published.
    #[must_use]
    pub fn new(shared: Arc<Shared>, path: String) -> (Self, watch::Receiver<ElectionStatus>) {
        let election = Election::new(shared.config.load().allow_upstreams.clone());
        let (status, receiver) = watch::channel(snapshot(&path, &election, &[]));
        let director =
            Self { shared, election, status, path, last: None, closed_since: None, failovers: Vec::new() };
        (director, receiver)
    }

    /// Takes in what the follower saw.
    pub fn on(&mut self, event: Event) {
        let now = self.shared.now();
        let before = (self.election.view().clone(), self.election.link().clone());
        let failed_before = self.election.read_failure().map(str::to_owned);
        let change = self.election.on(event, now);
        self.set_route();
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
                self.closed_since = Some(now);
                tracing::warn!(path = self.path, "no primary: new clients wait, open sessions go on");
            }
            Change::Opened(route) => self.opened(route, now),
        }
        self.publish();
    }

    fn opened(&mut self, route: Route, now: Duration) {
        let without = self.closed_since.take().map_or(Duration::ZERO, |since| now.saturating_sub(since));
        let from = self.last.replace(route.clone());
        tracing::info!(
            upstream = %route.upstream,
            epoch = route.epoch.0,
            from = from.as_ref().map(|r| r.upstream.to_string()),
            without_primary_ms = without.as_millis() as u64,
            "following a new primary"
        );
        if from.is_some() {
            self.shared.metrics.failovers.inc();
            if self.failovers.len() == REMEMBERED {
                self.failovers.remove(0);
            }
            let without_primary_ms = without.as_millis() as u64;
            self.failovers.push(Failover { at_ms: unix_ms(), from, to: route, without_primary_ms });
        }
    }

    /// Before anything else: sessions wait for it, people for the rest.
    fn set_route(&self) {
        self.shared.routes.set(match (self.election.route(), self.election.why_no_route()) {
            (Some(route), _) => RouteState::Open(route.clone()),
            (None, why) => RouteState::Closed(why.unwrap_or_default()),
        });
    }

    fn publish(&self) {
        let route = self.election.route();
        let metrics = &self.shared.metrics;
        metrics.epoch.set(route.map_or(0, |r| r.epoch.0));
        metrics.route_open.set(i64::from(route.is_some()));
        metrics.zookeeper_connected.set(i64::from(*self.election.link() == Link::Up));
        metrics.members.set(self.election.view().members.len() as i64);
        self.status.send_replace(snapshot(&self.path, &self.election, &self.failovers));
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

    fn report_skipped(&self, before: &View) {
        for skipped in newly_skipped(before, self.election.view()) {
            self.shared.metrics.member_skipped(skipped.reason);
            tracing::warn!(
                member = skipped.name,
                epoch = skipped.epoch.0,
                reason = skipped.reason.label(),
                "a member of the election is not followed"
            );
        }
    }
}

fn snapshot(path: &str, election: &Election, failovers: &[Failover]) -> ElectionStatus {
    ElectionStatus {
        path: Some(path.to_owned()),
        connected: *election.link() == Link::Up,
        link: election.link().clone(),
        view: election.view().clone(),
        why_no_route: election.why_no_route(),
        failovers: failovers.to_vec(),
    }
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}
