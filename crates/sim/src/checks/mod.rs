//! What must hold in every run, each in a function of its own: after each event, when a transaction has been
//! acknowledged, or once faults have stopped. It changes nothing.

mod fencing;

use std::fmt;

use capitana_core::{Epoch, HostPort};

use crate::context::{MILLI, Micros};
use crate::plan::Plan;
use crate::world::World;
use crate::zookeeper::tree::Znode;

/// Something that must hold and does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// What must hold: the name of the function that checks it.
    pub invariant: &'static str,
    /// What was found.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.found)
    }
}

/// What came of checking.
pub type Checked = Result<(), Violation>;

fn violated(invariant: &'static str, found: String) -> Checked {
    Err(Violation { invariant, found })
}

/// What was seen so far, for comparison.
#[derive(Debug)]
pub struct Checks {
    zxid: i64,
    children: Vec<Znode>,
    epochs: Vec<Option<Epoch>>,
    readings: Vec<i64>,
    created: Vec<Option<Micros>>,
    fenced: Vec<bool>,
    /// Since when no server of ZooKeeper leads.
    down_since: Option<Micros>,
    /// Since when each server answers.
    answering_since: Vec<Option<Micros>>,
    /// Since when each server is in Galera's primary component.
    primary_since: Vec<Option<Micros>>,
}

impl Checks {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            zxid: 0,
            children: Vec::new(),
            epochs: vec![None; plan.proxies],
            readings: vec![0; plan.proxies],
            created: vec![None; plan.agents],
            fenced: vec![false; plan.agents],
            down_since: None,
            answering_since: vec![None; plan.agents],
            primary_since: vec![None; plan.agents],
        }
    }
}

/// The node whose server has this address.
#[must_use]
pub fn node_of(upstream: &HostPort) -> Option<usize> {
    upstream.host().strip_prefix("db").and_then(|number| number.parse().ok())
}

impl World {
    /// Everything that holds after each event.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&mut self) -> Checked {
        self.note();
        self.epochs_only_grow()?;
        self.older_readings_change_nothing()?;
        self.up_to_date_proxies_agree()?;
        self.nobody_registers_on_old_news()?;
        self.nobody_is_fenced_because_zookeeper_is_down()?;
        if self.net.zookeeper.truth.zxid != self.checks.zxid {
            self.checks.zxid = self.net.zookeeper.truth.zxid;
            self.a_node_has_one_znode()?;
            self.a_primary_is_fenced_before_its_session_ends()?;
            self.checks.children.clone_from(&self.net.zookeeper.truth.children);
        }
        for node in 0..self.databases.len() {
            self.checks.fenced[node] = self.databases[node].fenced;
        }
        Ok(())
    }

    fn note(&mut self) {
        let now = self.net.ctx.now;
        self.checks.down_since = match (self.net.zookeeper.has_leader(), self.checks.down_since) {
            (true, _) => None,
            (false, since) => since.or(Some(now)),
        };
        let keep = |since: &mut Option<Micros>, yes: bool| *since = yes.then(|| since.unwrap_or(now));
        for (node, database) in self.databases.iter().enumerate() {
            keep(&mut self.checks.answering_since[node], database.answers());
            keep(&mut self.checks.primary_since[node], database.in_primary_component());
        }
    }

    /// A proxy never follows an epoch older than one it has followed, and has one route at a time.
    fn epochs_only_grow(&mut self) -> Checked {
        for (n, proxy) in self.proxies.iter().enumerate() {
            let Some(epoch) = proxy.election.route().map(|route| route.epoch) else { continue };
            let newest = &mut self.checks.epochs[n];
            if Some(epoch) < *newest {
                return violated(
                    "epochs_only_grow",
                    format!("proxy {n} follows epoch {epoch:?} after {newest:?}"),
                );
            }
            *newest = Some(epoch);
        }
        Ok(())
    }

    /// A reading older than one a proxy has already seen is not used.
    fn older_readings_change_nothing(&mut self) -> Checked {
        for (n, proxy) in self.proxies.iter_mut().enumerate() {
            for reading in proxy.readings.drain(..) {
                let newest = &mut self.checks.readings[n];
                if reading.used && reading.pzxid < *newest {
                    let pzxid = reading.pzxid;
                    return violated(
                        "older_readings_change_nothing",
                        format!("proxy {n} uses a reading of {pzxid:#x} after one of {newest:#x}"),
                    );
                }
                *newest = reading.pzxid.max(*newest);
            }
        }
        Ok(())
    }

    /// A proxy whose view is that of the last change follows the oldest candidate.
    fn up_to_date_proxies_agree(&self) -> Checked {
        let truth = &self.net.zookeeper.truth;
        for (n, proxy) in self.proxies.iter().enumerate() {
            if proxy.view_pzxid() != truth.pzxid || truth.pzxid == 0 {
                continue;
            }
            let follows = proxy.election.route().map(|route| node_of(&route.upstream));
            let first = truth.children.iter().min_by_key(|znode| znode.czxid).map(|znode| Some(znode.node));
            if follows != first {
                return violated(
                    "up_to_date_proxies_agree",
                    format!("proxy {n} is up to date and follows {follows:?}, not {first:?}"),
                );
            }
        }
        Ok(())
    }

    /// No node is registered twice, whatever was lost on the way.
    fn a_node_has_one_znode(&self) -> Checked {
        let children = &self.net.zookeeper.truth.children;
        for (i, znode) in children.iter().enumerate() {
            if let Some(other) = children[..i].iter().find(|other| other.node == znode.node) {
                return violated(
                    "a_node_has_one_znode",
                    format!("node {} has two znodes: {other:?} and {znode:?}", znode.node),
                );
            }
        }
        Ok(())
    }

    /// An agent registers only on fresh news of its server.
    fn nobody_registers_on_old_news(&mut self) -> Checked {
        for (node, agent) in self.agents.iter().enumerate() {
            let created = agent.registrar.created_at;
            if created != self.checks.created[node] {
                self.checks.created[node] = created;
                let age = created.unwrap_or_default().saturating_sub(agent.checks.passed_at);
                if age > crate::agent::checks::Checks::NEWS_LAST {
                    let age = age / MILLI;
                    return violated(
                        "nobody_registers_on_old_news",
                        format!(
                            "agent {node} registers, and the last check that passed was sent {age} ms ago"
                        ),
                    );
                }
            }
        }
        Ok(())
    }

    /// Once faults have stopped: every server that can lead has its znode, everybody's route leads to the oldest of
    /// them, and no fence is left. Answers what is still missing.
    ///
    /// # Errors
    /// What is missing.
    pub fn settled(&self) -> Checked {
        let truth = &self.net.zookeeper.truth;
        for (node, database) in self.databases.iter().enumerate() {
            if database.fenced {
                return violated("settled", format!("node {node} is still fenced"));
            }
            if !truth.children.iter().any(|znode| znode.node == node) {
                return violated("settled", format!("node {node} can lead and is not in the election"));
            }
        }
        let first = truth.children.iter().min_by_key(|znode| znode.czxid).map(|znode| znode.node);
        for (n, proxy) in self.proxies.iter().enumerate() {
            let open = proxy.open_route().and_then(|route| node_of(&route.upstream));
            if open != first {
                return violated(
                    "settled",
                    format!("proxy {n} leads to {open:?}, and {first:?} is the primary"),
                );
            }
        }
        Ok(())
    }
}
