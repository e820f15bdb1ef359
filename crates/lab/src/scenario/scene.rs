//! Owns what the scenarios about ZooKeeper have in common: their lab, clients that write, clients that come and go, a look
//! at the proxies' routes all the while, and the ensemble's end and return.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use crate::builder::Builder;
use crate::daemon::Proxy;
use crate::http;
use crate::lab::Lab;
use crate::load::{Newcomers, Verdict, Visit, Writers};
use crate::progress::shown;
use crate::report::Report;
use crate::status::{ProxyStatus, Route};
use crate::wait::wait_until;

/// Clients that write.
const WRITERS: usize = 20;
/// Clients that come and go, on each proxy.
const NEWCOMERS: usize = 2;
/// Rows of each client before and after the trouble.
pub(super) const ROWS: u64 = 25;
/// Between two looks at a proxy.
const LOOK: Duration = Duration::from_millis(50);
/// How long everything waits for what should take a few seconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Three Galera nodes with agents, three ZooKeeper servers, two proxies; a tick of 0.5 s, sessions of 2 s.
pub(super) fn builder() -> Builder {
    Lab::builder().galera(3).zookeeper(3).agents(true).proxies(2)
}

/// A lab under load.
pub(super) struct Scene<'a> {
    pub(super) lab: &'a Lab,
    /// The route before anything happens.
    pub(super) first: Route,
    pub(super) writers: Writers,
    pub(super) newcomers: Newcomers,
    routes: Routes,
}

impl<'a> Scene<'a> {
    /// Returns when every client has written.
    pub(super) async fn open(lab: &'a Lab) -> Result<Self> {
        let (first, _) = lab.agreed_route(0, PATIENCE).await?;
        followed(lab, lab.nodes().len()).await?;
        Writers::prepare(lab.nodes().first().context("no node")?).await?;
        let targets: Vec<_> = lab.proxies().iter().map(Proxy::address).collect();
        let writers = Writers::start(lab, &targets, WRITERS);
        let newcomers = Newcomers::start(&targets, NEWCOMERS);
        writers.wait_rows(ROWS).await?;
        lab.progress()
            .say(format_args!("{WRITERS} clients write to {} and others come and go", first.upstream));
        let routes = Routes::watch(lab);
        Ok(Self { lab, first, writers, newcomers, routes })
    }

    /// Which node is the primary at the start.
    pub(super) fn primary(&self) -> Result<usize> {
        let upstream = &self.first.upstream;
        self.lab.node_at(upstream).with_context(|| format!("{upstream} is no node of the lab"))
    }

    /// Ends the load. Nobody should have noticed anything: no error, no row lost, no change of the primary.
    pub(super) async fn close_unnoticed(self, report: &mut Report) -> Result<()> {
        self.writers.wait_rows(ROWS).await?;
        let changes = self.routes.changes();
        let node = &self.lab.nodes()[self.lab.node_at(&self.first.upstream).unwrap_or_default()];
        let ledger = self.writers.stop().await?;
        Verdict::read(node, &ledger).await?.report(&ledger, report);
        report_visits(&self.newcomers.stop().await?, report);
        report.none("changes_of_primary", changes.len()).because(|| changes.join("; "));
        let broken = &ledger.broken_sessions;
        report.none("broken_sessions", broken.len()).because(|| format!("the first: {}", broken[0]));
        Ok(())
    }
}

/// Figures of clients that come and go, none of which should have failed.
pub(super) fn report_visits(visits: &[Visit], report: &mut Report) {
    let failed: Vec<_> = visits.iter().filter_map(|visit| visit.outcome.as_ref().err()).collect();
    report.count("new_connections", visits.len());
    report.none("new_connection_errors", failed.len()).because(|| format!("the first: {}", failed[0].text));
    report.millis("new_connection_longest_ms", visits.iter().map(Visit::took).max().unwrap_or_default());
}

/// Every change of every proxy's route.
pub(super) struct Routes {
    _tasks: JoinSet<()>,
    changes: Arc<Mutex<Vec<String>>>,
}

impl Routes {
    /// Watches until it is dropped.
    pub(super) fn watch(lab: &Lab) -> Self {
        let changes = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        let start = Instant::now();
        for proxy in lab.proxies() {
            let (name, admin, changes) = (proxy.name().to_owned(), proxy.admin(), Arc::clone(&changes));
            tasks.spawn(async move {
                let mut last: Option<Option<Route>> = None;
                loop {
                    if let Ok(status) = http::get_json::<ProxyStatus>(admin, "/status").await {
                        if last.as_ref().is_some_and(|last| *last != status.route) {
                            let now = shown(start.elapsed());
                            let change = format!("{name} after {now}: {:?}", status.route);
                            changes.lock().unwrap_or_else(PoisonError::into_inner).push(change);
                        }
                        last = Some(status.route);
                    }
                    tokio::time::sleep(LOOK).await;
                }
            });
        }
        Self { _tasks: tasks, changes }
    }

    /// The changes so far, in words.
    pub(super) fn changes(&self) -> Vec<String> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Kills every ZooKeeper server.
pub(super) async fn kill_ensemble(lab: &Lab) -> Result<()> {
    for server in lab.zookeepers() {
        server.kill().await?;
    }
    lab.progress().say("all ZooKeeper servers are killed");
    Ok(())
}

/// Starts every ZooKeeper server again. Returns when the first has a quorum, which is the ensemble's return.
pub(super) async fn start_ensemble(lab: &Lab) -> Result<Instant> {
    let start = Instant::now();
    for server in lab.zookeepers() {
        server.start().await?;
    }
    let serves = async || {
        for server in lab.zookeepers() {
            if server.mode().await.is_ok() {
                return Some(());
            }
        }
        None
    };
    wait_until(PATIENCE, "ZooKeeper has a quorum", serves).await?;
    let back = Instant::now();
    let took = shown(back - start);
    lab.progress().say(format_args!("{took} after their start the ZooKeeper servers have a quorum"));
    Ok(back)
}

/// Waits until every proxy has a session with ZooKeeper and sees `members` candidates.
pub(super) async fn followed(lab: &Lab, members: usize) -> Result<()> {
    let follow = async || {
        for proxy in lab.proxies() {
            let election = proxy.status().await.ok()?.election;
            if !election.connected || election.members.len() != members {
                return None;
            }
        }
        Some(())
    };
    wait_until(PATIENCE, &format!("all proxies see {members} candidates"), follow).await.map(drop)
}
