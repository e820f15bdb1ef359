//! Owns what the scenarios about agents without ZooKeeper have in common: a client that writes on the primary's own server,
//! past the proxies, a witness of every proxy's route, and what the agents say.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tokio::task::JoinSet;

use crate::builder::Builder;
use crate::client;
use crate::galera::APP;
use crate::http;
use crate::lab::Lab;
use crate::load::Writers;
use crate::report::Report;
use crate::status::{AgentStatus, ProxyStatus, Route};
use crate::wait::wait_until;

use super::scene::{self, PATIENCE};

/// Clients that write through the proxies.
const WRITERS: usize = 20;
/// Between two writes of the client past the proxies, and between two looks at a proxy.
const PACE: Duration = Duration::from_millis(4);
const LOOK: Duration = Duration::from_millis(20);

/// The lab of these scenarios, with a door before each agent, and agents that fence in this mode.
pub(super) fn builder(mode: &str) -> Builder {
    scene::builder().doors().fence(mode)
}

/// A lab under load whose primary is known.
pub(super) struct Stage<'a> {
    pub(super) lab: &'a Lab,
    pub(super) first: Route,
    /// The primary's place among nodes, agents and doors.
    pub(super) primary: usize,
    pub(super) writers: Writers,
    pub(super) probe: Probe,
    pub(super) witness: Witness,
}

impl<'a> Stage<'a> {
    /// Returns when everybody has written.
    pub(super) async fn open(lab: &'a Lab) -> Result<Self> {
        let (first, _) = lab.agreed_route(0, PATIENCE).await?;
        scene::followed(lab, lab.nodes().len()).await?;
        let primary = lab.node_at(&first.upstream).context("the primary is no node of the lab")?;
        Writers::prepare(&lab.nodes()[primary]).await?;
        lab.nodes()[primary].execute("CREATE TABLE app.probe (id INT PRIMARY KEY, seq BIGINT)").await?;
        let targets: Vec<_> = lab.proxies().iter().map(crate::Proxy::address).collect();
        let writers = Writers::start(lab, &targets, WRITERS);
        writers.wait_rows(scene::ROWS).await?;
        let probe = Probe::start(lab.nodes()[primary].address());
        let witness = Witness::watch(lab);
        // A route that is there from the start is no change.
        let looked = async || (witness.seen().len() >= lab.proxies().len()).then_some(());
        wait_until(PATIENCE, "every proxy was looked at", looked).await?;
        lab.progress().say(format_args!("{WRITERS} clients write to {} through two proxies", first.upstream));
        Ok(Self { lab, first, primary, writers, probe, witness })
    }

    /// What the primary's agent says of itself.
    pub(super) async fn agent(&self) -> Result<AgentStatus> {
        self.lab.agents()[self.primary].status().await
    }

    /// How many candidates of each node every proxy sees in the end: one each.
    pub(super) async fn one_znode_each(&self, report: &mut Report) -> Result<()> {
        let wanted = self.lab.nodes().len();
        scene::followed(self.lab, wanted).await?;
        for proxy in self.lab.proxies() {
            let members = proxy.status().await?.election.members;
            let mut nodes: Vec<_> = members.iter().map(|member| member.upstream.as_str()).collect();
            nodes.sort_unstable();
            nodes.dedup();
            report.exactly("nodes_with_one_znode", nodes.len(), wanted);
        }
        Ok(())
    }

    /// Ends the load, and looks at what was written and at what the proxies led to all the while.
    pub(super) async fn close(self, report: &mut Report) -> Result<()> {
        self.writers.wait_rows(scene::ROWS).await?;
        let (route, _) = self.lab.agreed_route(0, PATIENCE).await?;
        let node = &self.lab.nodes()[self.lab.node_at(&route.upstream).unwrap_or_default()];
        let ledger = self.writers.stop().await?;
        crate::load::Verdict::read(node, &ledger).await?.report(&ledger, report);
        report.none("routes_to_an_older_epoch", self.witness.older());
        report.none("epochs_of_two_primaries", self.witness.ambiguous());
        Ok(())
    }
}

/// Fences that this agent has set since its start.
pub(super) async fn fences(admin: SocketAddr) -> Result<usize> {
    let (_, metrics) = http::get(admin, "/metrics").await?;
    let value = metrics.lines().find_map(|line| line.strip_prefix("capitana_agent_fences_total "));
    value.and_then(|value| value.parse().ok()).context("no capitana_agent_fences_total")
}

/// A client that writes on one server. Its writes follow each other.
pub(super) struct Probe {
    _task: JoinSet<()>,
    writes: Arc<Mutex<Vec<Write>>>,
}

#[derive(Debug, Clone, Copy)]
struct Write {
    ended: Instant,
    acknowledged: bool,
}

impl Probe {
    fn start(server: SocketAddr) -> Self {
        let writes = Arc::new(Mutex::new(Vec::new()));
        let mut task = JoinSet::new();
        let record = Arc::clone(&writes);
        task.spawn(async move {
            let mut conn = None;
            for seq in 0_u64.. {
                let acknowledged = write(server, &mut conn, seq).await;
                let write = Write { ended: Instant::now(), acknowledged };
                record.lock().unwrap_or_else(PoisonError::into_inner).push(write);
                tokio::time::sleep(PACE).await;
            }
        });
        Self { _task: task, writes }
    }

    /// When the first write was refused after `since`.
    pub(super) fn refused(&self, since: Instant) -> Option<Instant> {
        self.first(since, false)
    }

    /// When the first write was acknowledged after `since`.
    pub(super) fn acknowledged(&self, since: Instant) -> Option<Instant> {
        self.first(since, true)
    }

    /// Writes refused, and acknowledged, between these moments.
    pub(super) fn counts(&self, from: Instant, to: Instant) -> (usize, usize) {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        let within = writes.iter().filter(|write| write.ended >= from && write.ended <= to);
        let (acknowledged, refused): (Vec<&Write>, Vec<&Write>) =
            within.partition(|write| write.acknowledged);
        (refused.len(), acknowledged.len())
    }

    fn first(&self, since: Instant, acknowledged: bool) -> Option<Instant> {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        let found = writes.iter().find(|write| write.ended >= since && write.acknowledged == acknowledged);
        found.map(|write| write.ended)
    }
}

/// A deadlock with the writers' rows cannot be: it has a table of its own. So whatever fails was refused, or cut.
async fn write(server: SocketAddr, conn: &mut Option<Conn>, seq: u64) -> bool {
    let written = async {
        let mut open = match conn.take() {
            Some(open) => open,
            None => client::connect(server, APP, APP).await?,
        };
        let written = open.query_drop(format!("REPLACE INTO app.probe VALUES (1, {seq})")).await;
        if !matches!(&written, Err(error) if error.is_fatal()) {
            *conn = Some(open);
        }
        written
    };
    written.await.map_err(|_: Error| ()).is_ok()
}

/// Every route of every proxy, with when it was seen first.
pub(super) struct Witness {
    _tasks: JoinSet<()>,
    routes: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Debug, Clone)]
struct Seen {
    at: Instant,
    proxy: usize,
    route: Route,
}

impl Witness {
    fn watch(lab: &Lab) -> Self {
        let routes: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let mut tasks = JoinSet::new();
        for (index, proxy) in lab.proxies().iter().enumerate() {
            let (admin, routes) = (proxy.admin(), Arc::clone(&routes));
            tasks.spawn(async move {
                let mut last = None;
                loop {
                    let status = http::get_json::<ProxyStatus>(admin, "/status").await;
                    if let Some(route) = status.ok().and_then(|status| status.route)
                        && last.replace(route.clone()) != Some(route.clone())
                    {
                        let seen = Seen { at: Instant::now(), proxy: index, route };
                        routes.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
                    }
                    tokio::time::sleep(LOOK).await;
                }
            });
        }
        Self { _tasks: tasks, routes }
    }

    /// When the first proxy led to an epoch after this one.
    pub(super) fn opened(&self, after: i64) -> Option<Instant> {
        self.seen().iter().filter(|seen| seen.route.epoch > after).map(|seen| seen.at).min()
    }

    /// Routes that were new to a proxy after `since`.
    pub(super) fn changes(&self, since: Instant) -> usize {
        self.seen().iter().filter(|seen| seen.at > since).count()
    }

    /// How often a proxy went back.
    fn older(&self) -> usize {
        let mut newest: BTreeMap<usize, i64> = BTreeMap::new();
        let mut older = 0;
        for seen in self.seen() {
            let newest = newest.entry(seen.proxy).or_default();
            older += usize::from(seen.route.epoch < *newest);
            *newest = seen.route.epoch.max(*newest);
        }
        older
    }

    /// Epochs for which more than one primary was named.
    fn ambiguous(&self) -> usize {
        let mut named: BTreeMap<i64, String> = BTreeMap::new();
        let mut ambiguous = 0;
        for seen in self.seen() {
            let first = named.entry(seen.route.epoch).or_insert_with(|| seen.route.upstream.clone());
            ambiguous += usize::from(*first != seen.route.upstream);
        }
        ambiguous
    }

    fn seen(&self) -> Vec<Seen> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
