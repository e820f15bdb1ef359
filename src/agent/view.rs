//! What the agent says of itself on its admin endpoint: one snapshot, put together when it is asked for. The snapshots of its
//! parts are `status`'s.

use std::sync::Arc;

use capitana_core::candidacy::Standing;
use capitana_core::lease::{self, Lease};
use capitana_core::services::list::Services;
use capitana_core::{HostPort, Link};
use serde::Serialize;
use tokio::sync::watch;

use super::candidate::Candidate;
use super::fence::FenceStatus;
use super::operator::{Operator, SteppedDown};
use super::status::{HealthStatus, RegistrationStatus};
use crate::admin::{AdminView, Answer, Order, Ordered, Probe};
use crate::clock::BootClock;
use crate::live::ConfigStatus;
use crate::registrar::LeaseStatus;
use crate::side::{ServiceStatus, SideView};

/// Answers for the agent.
pub struct AgentView {
    /// The node's name.
    pub node: String,
    /// The server that is checked.
    pub server: String,
    /// Where proxies are sent.
    pub advertise: HostPort,
    /// What decides whether it wants a znode, the monitor's snapshots among it.
    pub candidate: Candidate,
    /// The registrar's snapshots.
    pub registration: watch::Receiver<RegistrationStatus>,
    /// Takes an operator's orders.
    pub operator: Arc<Operator>,
    /// The lease on the session.
    pub lease: watch::Receiver<Lease>,
    /// Its place in the list of services.
    pub side: Option<SideView>,
    /// How its settings stand.
    pub config: watch::Receiver<ConfigStatus>,
}

#[derive(Serialize)]
struct AgentStatus<'a> {
    version: &'static str,
    node: &'a str,
    server: &'a str,
    advertise: &'a HostPort,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_ready_because: Option<String>,
    stopping: bool,
    stepped_down: Option<SteppedDown>,
    candidacy: String,
    zookeeper_lease: Option<LeaseStatus>,
    #[serde(flatten)]
    fence: FenceStatus,
    #[serde(flatten)]
    health: HealthStatus,
    #[serde(flatten)]
    registration: RegistrationStatus,
    service: Option<ServiceStatus>,
    config: ConfigStatus,
}

impl AgentView {
    /// Whether the server is the primary at this moment; the error says why that cannot be said.
    fn leads(&self) -> Result<(), String> {
        let registration = self.registration.borrow();
        match self.candidate.standing() {
            Standing::Candidate | Standing::Delayed { .. } => {}
            _ => return Err(self.candidate.reason()),
        }
        if self.lease.borrow().standing(BootClock.now()) == lease::Standing::Expired {
            return Err("ZooKeeper has not answered for too long, and another may be elected".to_owned());
        }
        match (&registration.registered, &registration.zookeeper) {
            (None, _) => Err("it has no place in the election".to_owned()),
            (Some(_), Link::Up) if registration.leads => Ok(()),
            (Some(_), Link::Up) => Err("another is before it".to_owned()),
            (Some(_), _) => Err("ZooKeeper cannot be reached, and another may be elected".to_owned()),
        }
    }
}

impl AdminView for AgentView {
    fn ready(&self) -> Result<(), String> {
        if self.candidate.standing() != Standing::Candidate {
            return Err(self.candidate.reason());
        }
        let registration = self.registration.borrow();
        match &registration.registered {
            Some(_) => Ok(()),
            None => Err(registration.obstacle()),
        }
    }

    fn status(&self) -> serde_json::Value {
        let ready = self.ready();
        let status = AgentStatus {
            version: env!("CARGO_PKG_VERSION"),
            node: &self.node,
            server: &self.server,
            advertise: &self.advertise,
            ready: ready.is_ok(),
            not_ready_because: ready.err(),
            stopping: self.candidate.stop.is_cancelled(),
            stepped_down: self.candidate.stepped_down.borrow().clone(),
            candidacy: self.candidate.standing().to_string(),
            zookeeper_lease: LeaseStatus::of(*self.lease.borrow()),
            fence: self.candidate.fence.borrow().clone(),
            health: self.candidate.health.borrow().clone(),
            registration: self.registration.borrow().clone(),
            config: self.config.borrow().clone(),
            service: self.side.as_ref().map(SideView::now),
        };
        serde_json::to_value(status).unwrap_or_default()
    }

    fn services(&self) -> Option<Answer<Result<Arc<Services>, String>>> {
        self.side.as_ref().map(SideView::services)
    }

    fn probe(&self, probe: Probe) -> Option<Result<String, String>> {
        if let Some(fenced) = &self.candidate.fence.borrow().fenced {
            return Some(Err(format!("{} is fenced: {}", self.node, fenced.why)));
        }
        let health = self.candidate.health.borrow().clone();
        if health.fit && !health.proof.holds_at(BootClock.now()) {
            return Some(Err(format!("{} has not been checked for too long", self.node)));
        }
        Some(match (probe, health.fit, self.leads()) {
            (Probe::Fit, true, _) => Ok(format!("{} is fit to lead", self.node)),
            (_, false, _) => Err(format!("{} is unfit: {}", self.node, health.reason)),
            (Probe::Primary, true, Ok(())) => Ok(format!("{} is the primary", self.node)),
            (Probe::Primary, true, Err(why)) => Err(format!("{} is not the primary: {why}", self.node)),
            (Probe::Replica, true, Err(why)) => {
                Ok(format!("{} is fit, and not the primary: {why}", self.node))
            }
            (Probe::Replica, true, Ok(())) => Err(format!("{} is the primary", self.node)),
        })
    }

    fn settings(&self) -> String {
        self.config.borrow().lines.clone()
    }

    fn more_help(&self) -> &'static str {
        "/         200 while the server is fit and not fenced, else 503 (as clustercheck)\n\
         /primary  200 while it is the primary, else 503\n\
         /replica  200 while it is fit and not the primary, else 503\n\
         POST /step-down, POST /rejoin: leave the election, come back; from this host only\n"
    }

    fn carry_out(&self, order: Order, by: String) -> Option<Answer<Ordered>> {
        let operator = Arc::clone(&self.operator);
        Some(Box::pin(async move { operator.carry_out(order, by).await }))
    }
}
