//! What the proxy says of itself on its admin endpoint: one snapshot, put together when it is asked for.

use std::sync::Arc;

use capitana_core::Route;
use serde::Serialize;
use tokio::sync::watch;

use super::director::{ElectionStatus, Failover};
use super::route::RouteState;
use super::shared::Shared;
use crate::admin::AdminView;

/// Answers for the proxy.
pub struct ProxyView {
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// The election; none with a fixed primary.
    pub election: Option<watch::Receiver<ElectionStatus>>,
}

#[derive(Serialize)]
struct ProxyStatus {
    version: &'static str,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_ready_because: Option<String>,
    election: Option<ElectionStatus>,
    route: Option<Route>,
    sessions: Sessions,
    failovers: Vec<Failover>,
}

#[derive(Serialize)]
struct Sessions {
    /// All there are, waiting ones included.
    #[serde(rename = "active")]
    all: i64,
    /// Those of them that wait for a primary.
    held: i64,
}

impl AdminView for ProxyView {
    fn ready(&self) -> Result<(), String> {
        if self.shared.stop.is_cancelled() {
            return Err("the proxy is stopping".to_owned());
        }
        match &**self.shared.routes.load() {
            RouteState::Open(_) => Ok(()),
            RouteState::Closed(why) => Err(format!("there is no primary: {why}")),
        }
    }

    fn status(&self) -> serde_json::Value {
        let ready = self.ready();
        let election = self.election.as_ref().map(|e| e.borrow().clone());
        let route = match &**self.shared.routes.load() {
            RouteState::Open(route) => Some(route.clone()),
            RouteState::Closed(_) => None,
        };
        let status = ProxyStatus {
            version: env!("CARGO_PKG_VERSION"),
            ready: ready.is_ok(),
            not_ready_because: ready.err(),
            failovers: election.as_ref().map(|e| e.failovers.clone()).unwrap_or_default(),
            election,
            route,
            sessions: Sessions {
                all: self.shared.metrics.sessions.get(),
                held: self.shared.metrics.held.get(),
            },
        };
        serde_json::to_value(status).unwrap_or_default()
    }
}
