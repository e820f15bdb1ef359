//! What the registrar says of itself: its snapshot for everybody else in the agent, its metrics, and one log line for each
//! thing that changes. It decides nothing and asks nothing.

use std::sync::Arc;

use capitana_core::Link;
use capitana_core::kin::Rival;
use capitana_core::registration::Change;
use tokio::sync::watch;

use super::metrics::AgentMetrics;
use super::status::{Others, Registered, RegistrationStatus};

/// Publishes for one registrar.
pub struct Notice {
    status: watch::Sender<RegistrationStatus>,
    metrics: Arc<AgentMetrics>,
    /// The last problem that was logged, so that it is logged once.
    problem: Option<String>,
}

impl Notice {
    /// Nothing has happened yet. Also answers where it is published.
    #[must_use]
    pub fn new(metrics: Arc<AgentMetrics>) -> (Self, watch::Receiver<RegistrationStatus>) {
        let first = RegistrationStatus {
            zookeeper: Link::NeverUp(None),
            registered: None,
            leads: false,
            withdrawn: false,
            may_lead: true,
            others: Others::default(),
            rival: None,
        };
        let (status, published) = watch::channel(first);
        (Self { status, metrics, problem: None }, published)
    }

    /// A session has begun.
    pub fn session_began(&mut self) {
        self.metrics.sessions.inc();
        self.link_up();
    }

    /// ZooKeeper answers.
    pub fn link_up(&mut self) {
        if self.status.borrow().zookeeper != Link::Up {
            tracing::info!("the link to ZooKeeper is up");
        }
        self.problem = None;
        self.metrics.connected.set(1);
        self.status.send_modify(|status| status.zookeeper = Link::Up);
    }

    /// ZooKeeper does not answer, and why.
    pub fn link_down(&mut self, cause: String) {
        self.complain("the link to ZooKeeper is down", cause.clone());
        self.metrics.connected.set(0);
        let link = if self.never_up() { Link::NeverUp(Some(cause)) } else { Link::Down(cause) };
        self.status.send_modify(|status| status.zookeeper = link);
    }

    /// Whether ZooKeeper has never answered.
    #[must_use]
    pub fn never_up(&self) -> bool {
        matches!(self.status.borrow().zookeeper, Link::NeverUp(_))
    }

    /// Logs a problem, unless it is the one that was logged last.
    pub fn complain(&mut self, what: &'static str, cause: String) {
        if self.problem.as_ref() != Some(&cause) {
            tracing::warn!(cause, "{what}");
            self.problem = Some(cause);
        }
    }

    /// What was complained of is over.
    pub fn solved(&mut self) {
        self.problem = None;
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
    pub fn stands(&self, leads: bool, withdrawn: bool, may_lead: bool) {
        let now = (leads, withdrawn, may_lead);
        self.status.send_if_modified(|status| {
            let before = (status.leads, status.withdrawn, status.may_lead);
            (status.leads, status.withdrawn, status.may_lead) = now;
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
