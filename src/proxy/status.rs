//! What the proxy says of itself on its admin endpoint: one snapshot, put together when it is asked for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use capitana_core::failover::Failover;
use capitana_core::replicas::{Aside, Replica, Serving};
use capitana_core::services::list::Services;
use capitana_core::{Link, Role, Route};
use serde::Serialize;
use tokio::sync::watch;

use super::director::ElectionStatus;
use super::metrics::ProxyMetrics;
use super::registry;
use super::route::RouteState;
use super::shared::Shared;
use crate::admin::{AdminView, Answer};
use crate::live::ConfigStatus;
use crate::side::{ServiceStatus, SideView};

/// Answers for the proxy.
pub struct ProxyView {
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// The election; none with a fixed primary.
    pub election: Option<watch::Receiver<ElectionStatus>>,
    /// Its place in the list of services; none with a fixed primary.
    pub side: Option<SideView>,
    /// How its settings stand.
    pub config: watch::Receiver<ConfigStatus>,
}

#[derive(Serialize)]
struct ProxyStatus {
    version: &'static str,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_ready_because: Option<String>,
    election: Option<ElectionStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    view_age_ms: Option<u64>,
    route: Option<Route>,
    barrier: String,
    replicas: ReplicaStatus,
    sessions: Sessions,
    failovers: Vec<Failover>,
    service: Option<ServiceStatus>,
    config: ConfigStatus,
}

/// Who serves as a replica.
#[derive(Serialize)]
struct ReplicaStatus {
    /// Where clients that only read are accepted. Empty: nowhere.
    listen: Vec<SocketAddr>,
    members: Vec<Busy>,
    by_fallback: bool,
    aside: Vec<Aside>,
}

/// A member that serves, and how many sessions it has from this proxy, whatever their role.
#[derive(Serialize)]
struct Busy {
    #[serde(flatten)]
    replica: Replica,
    sessions: usize,
}

impl ReplicaStatus {
    fn new(shared: &Shared) -> Self {
        let Serving { members, by_fallback, aside } = (*shared.replicas.load_full()).clone();
        let busy = |replica: Replica| {
            let sessions = shared.room.load(&replica.route.upstream).sessions;
            Busy { replica, sessions }
        };
        let listen = shared.config.load().replica_listen.clone();
        Self { listen, members: members.into_iter().map(busy).collect(), by_fallback, aside }
    }
}

#[derive(Serialize)]
struct Sessions {
    /// All there are, waiting ones included.
    #[serde(rename = "active")]
    all: i64,
    /// Those of them that wait for a server.
    held: i64,
    /// Waiting clients let on to a server so far.
    released: u64,
    /// Connections to servers, those being made included.
    upstream: i64,
    rejected: Rejected,
    draining: i64,
    /// Those of them that came for a replica.
    replica: ReplicaSessions,
}

/// Sessions of clients that came for a replica.
#[derive(Serialize)]
struct ReplicaSessions {
    active: i64,
    held: i64,
    draining: i64,
}

/// Connections turned away, by limit.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Rejected {
    max_connections: u64,
    max_connections_per_client: u64,
    max_upstream_connections: u64,
    max_held: u64,
}

impl Sessions {
    fn new(metrics: &ProxyMetrics) -> Self {
        let [primary, replica] = Role::ALL.map(|role| metrics.of(role));
        Self {
            all: metrics.sessions(),
            held: primary.held.get() + replica.held.get(),
            released: metrics.released.get(),
            upstream: metrics.upstream_connections.get(),
            rejected: Rejected::new(metrics),
            draining: primary.draining.get() + replica.draining.get(),
            replica: ReplicaSessions {
                active: replica.sessions.get(),
                held: replica.held.get(),
                draining: replica.draining.get(),
            },
        }
    }
}

impl Rejected {
    fn new(metrics: &ProxyMetrics) -> Self {
        Self {
            max_connections: metrics.rejected_listener.get(),
            max_connections_per_client: metrics.rejected_client.get(),
            max_upstream_connections: metrics.rejected_upstream.get(),
            max_held: metrics.rejected_held.get(),
        }
    }
}

impl AdminView for ProxyView {
    fn more_help(&self) -> &'static str {
        "/sessions JSON; DELETE /sessions/ID ends one\n"
    }

    fn ready(&self) -> Result<(), String> {
        if self.shared.stop.is_cancelled() {
            return Err("the proxy is stopping".to_owned());
        }
        match &**self.shared.routes.load() {
            RouteState::Open(_) => self.current(),
            RouteState::Closed { why, .. } => Err(format!("there is no primary: {why}")),
        }
    }

    fn status(&self) -> serde_json::Value {
        let ready = self.ready();
        let election = self.election.as_ref().map(|e| e.borrow().clone());
        let route = match &**self.shared.routes.load() {
            RouteState::Open(route) => Some(route.clone()),
            RouteState::Closed { .. } => None,
        };
        let status = ProxyStatus {
            version: env!("CARGO_PKG_VERSION"),
            ready: ready.is_ok(),
            not_ready_because: ready.err(),
            config: self.config.borrow().clone(),
            failovers: self.shared.milestones.failovers(),
            service: self.side.as_ref().map(SideView::now),
            view_age_ms: self.view_age().map(|age| age.as_millis() as u64),
            barrier: match election {
                Some(_) => self.shared.barriers.state().to_string(),
                None => "none: the primary is fixed".to_owned(),
            },
            election,
            route,
            replicas: ReplicaStatus::new(&self.shared),
            sessions: Sessions::new(&self.shared.metrics),
        };
        serde_json::to_value(status).unwrap_or_default()
    }

    fn settings(&self) -> String {
        self.config.borrow().lines.clone()
    }

    fn services(&self) -> Option<Answer<Result<Arc<Services>, String>>> {
        self.side.as_ref().map(SideView::services)
    }

    fn sessions(&self) -> Option<Answer<serde_json::Value>> {
        let workers = self.shared.workers.load_full()?;
        Some(Box::pin(async move { serde_json::to_value(registry::list(workers).await).unwrap_or_default() }))
    }

    fn end_session(&self, id: u64) -> Option<Answer<bool>> {
        let workers = self.shared.workers.load_full()?;
        Some(Box::pin(registry::end(workers, id)))
    }
}

impl ProxyView {
    /// Whether the route is that of an ensemble that can be asked. A proxy that cannot leads clients on to the primary it
    /// knows, because a lost ensemble does not cut a working primary off; but it may be the one that does not know of a
    /// newer primary, so that whoever chooses among several proxies should prefer another.
    fn current(&self) -> Result<(), String> {
        let limit = self.shared.config.load().common.zookeeper_session_timeout;
        let (Some(election), Some(age)) = (&self.election, self.view_age()) else { return Ok(()) };
        if age <= limit {
            return Ok(());
        }
        let cause = match &election.borrow().link {
            Link::Up => "ZooKeeper's server answers, but not from the ensemble".to_owned(),
            Link::NeverUp(cause) => cause.clone().unwrap_or_else(|| "it has not answered yet".to_owned()),
            Link::Down(cause) => cause.clone(),
        };
        Err(format!(
            "the election was seen {age:.1?} ago, longer than the session timeout ({limit:?}): {cause}. Clients are led \
             on to the last primary that is known"
        ))
    }

    fn view_age(&self) -> Option<Duration> {
        let read_at = self.election.as_ref()?.borrow().read_at?;
        Some(self.shared.now().saturating_sub(read_at))
    }
}
