//! What the agent's registrar says of itself: its snapshot for everybody else in the agent, its metrics, and one log line for each
//! thing that changes. It decides nothing and asks nothing.

use std::sync::Arc;

use capitana_core::Link;
use capitana_core::kin::Rival;
use capitana_core::registration::{Change, Registration};
use tokio::sync::watch;

use super::metrics::AgentMetrics;
use super::status::{Others, Registered, RegistrationStatus};

/// Publishes for one registrar.
pub struct Notice {
    status: watch::Sender<RegistrationStatus>,
    metrics: Arc<AgentMetrics>,
}

impl Notice {
    /// Nothing has happened yet, but that an earlier run has read of these others. Also answers where it is published.
    #[must_use]
    pub fn new(metrics: Arc<AgentMetrics>, others: Others) -> (Self, watch::Receiver<RegistrationStatus>) {
        let first = RegistrationStatus {
            zookeeper: Link::NeverUp(None),
            registered: None,
            leads: false,
            stands: false,
            withdrawn: false,
            may_lead: true,
            others,
            rival: None,
        };
        let (status, published) = watch::channel(first);
        (Self { status, metrics }, published)
    }

    /// How the link to ZooKeeper is.
    pub fn link_is(&self, link: &Link) {
        self.status.send_if_modified(|status| {
            let changed = status.zookeeper != *link;
            status.zookeeper.clone_from(link);
            changed
        });
    }

    /// The agent's znode changed: it is this one now.
    pub fn changed(&self, change: &Change, registered: Option<Registered>) {
        match change {
            Change::None => {}
            Change::Registered(znode) => {
                self.metrics.registrations.inc();
                tracing::info!(znode = %znode.name, epoch = %znode.epoch, "registered in the election");
            }
            Change::Withdrawn(znode) => {
                tracing::info!(znode = %znode.name, epoch = %znode.epoch, "withdrawn from the election");
            }
            Change::Lost(znode) => {
                tracing::warn!(znode = %znode.name, epoch = %znode.epoch, "the znode is lost: somebody deleted it, or its session is over and has to be resumed");
            }
            Change::RemovedLeftover(znode) => {
                tracing::info!(znode, "removed a znode of this agent that was left over");
            }
        }
        self.metrics.registered.set(i64::from(registered.is_some()));
        self.status.send_modify(|status| status.registered = registered);
    }

    /// How the agent stands in the election.
    pub fn stands(&self, leads: bool, registration: &Registration) {
        let (stands, withdrawn) = (registration.is_standing(), registration.is_withdrawn());
        let now = (leads, stands, withdrawn, registration.may_lead());
        self.status.send_if_modified(|status| {
            let before = (status.leads, status.stands, status.withdrawn, status.may_lead);
            (status.leads, status.stands, status.withdrawn, status.may_lead) = now;
            before != now
        });
    }

    /// The other candidates.
    pub fn see(&self, others: Others) {
        self.status.send_if_modified(|status| {
            let before = std::mem::replace(&mut status.others, others);
            before != status.others
        });
    }

    /// Said once for each rival, and again when it is gone.
    pub fn stand_beside(&self, rival: Option<&Rival>) {
        let rival = rival.map(ToString::to_string);
        if self.status.borrow().rival == rival {
            return;
        }
        match &rival {
            Some(rival) => tracing::warn!(rival, "not registered beside another znode of this node"),
            None => tracing::info!("the other znode of this node is gone"),
        }
        self.status.send_modify(|status| status.rival = rival);
    }
}
