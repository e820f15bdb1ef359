//! `capitana worker`: runs a command on few of many hosts. It stands in line in ZooKeeper (`registrant`, `line`, `lock`),
//! keeps the command while it is its turn (`keeper`), by a guard process that outlives whatever happens to this one
//! (`command`, `guard`). This file puts the tasks together and ends them in order; what they decide is in
//! `capitana_core::worker`.

mod command;
mod guard;
mod keeper;
mod line;
mod lock;
mod metrics;
mod registrant;
mod signals;
mod status;
mod sweep;
#[cfg(test)]
mod tests;
mod view;
mod words;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use capitana_core::worker::{End, Patience, Policy, Rules};
use prometheus::Registry;
use rustix::process::set_child_subreaper;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::admin::AdminServer;
use crate::config::WorkerConfig;
use crate::config::settings::WorkerSettings;
use crate::control::ZooKeeperConnector;
use crate::error::{Error, Origin, WorkError};
use crate::live::Live;
use crate::registrar::{Heart, Registrar};
use crate::side::Side;
use command::Recipe;
use keeper::{Keeper, Verdict};
use metrics::WorkerMetrics;
use registrant::{Identity, WorkerRegistrant};
use signals::WorkerSignals;
use view::WorkerView;

pub use guard::run as run_guard;

/// How long ZooKeeper may take to confirm that the znode is deleted. Without that the znode goes with the session.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// How long name lookups that are still under way may hold up the end.
const THREADS_LIMIT: Duration = Duration::from_millis(100);

/// What is asked of one run, beside the settings.
#[derive(Debug, Clone)]
pub struct Task {
    /// The command and its arguments, one at least.
    pub command: Vec<OsString>,
    /// Whether it is run once and no more.
    pub once: bool,
    /// How long others may be before it. None: as long as it takes.
    pub wait: Option<Duration>,
}

/// Runs until it is asked to stop, or there is nothing left to do. Answers the exit status.
///
/// # Errors
/// A setting is missing, an address cannot be used, the turn did not come in time or was lost, or the system refuses
/// something ordinary.
pub fn run(settings: &Live<WorkerSettings>, task: Task) -> Result<u8, Error> {
    let system = |doing| move |source| Error::System { doing, source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(system("cannot start a runtime"))?;
    // What the guard leaves behind when it is killed comes to this process, which ends it.
    set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|error| system("cannot adopt orphans")(error.into()))?;
    let ended = runtime.block_on(start_and_wait(settings, task));
    runtime.shutdown_timeout(THREADS_LIMIT);
    ended
}

async fn start_and_wait(settings: &Live<WorkerSettings>, task: Task) -> Result<u8, Error> {
    let config = settings.config();
    let signals =
        WorkerSignals::new().map_err(|source| Error::System { doing: "cannot handle signals", source })?;
    let registry = Registry::new();
    let metrics = WorkerMetrics::register(&registry).map_err(|e| Error::Internal(e.to_string()))?;
    settings.register_log(&registry)?;
    let connector = connector(config)?;
    let stop = CancellationToken::new();
    let (wish, wished) = watch::channel(capitana_core::candidacy::Wish::Register);
    let (idle, is_idle) = watch::channel(true);
    let (registrant, place) =
        WorkerRegistrant::new(identity(config), wished, is_idle, stop.clone(), metrics.clone());
    let (heart, lease) = Heart::new();
    metrics::register_lease(&registry, lease.clone()).map_err(|e| Error::Internal(e.to_string()))?;
    let session_timeout = config.common.zookeeper_session_timeout;
    let registrar = Registrar::new(registrant, heart, metrics.link.clone(), session_timeout, seed());
    let side = Side::join(&config.common, "worker", Vec::new(), metrics.side.clone(), None);
    let (side, side_view) = side.unzip();
    // ZooKeeper that does not answer for so long gives nobody a turn.
    let patience = task.wait.map(|others| Patience { others, zookeeper: session_timeout });
    let keeper = Keeper::new(rules(config, task.once), recipe(config, &task), metrics, (wish, idle));
    let view = WorkerView::new(
        config,
        settings.status().borrow().lines.clone(),
        (place.clone(), keeper.published()),
        lease.clone(),
        side_view,
    );
    if let Some(admin) = config.admin_listen {
        let admin = AdminServer::bind(admin, registry, Arc::new(view)).await?;
        // It answers to the end: nothing needs to wait for it.
        tokio::spawn(admin.serve(CancellationToken::new()));
    }
    let mut registrar = tokio::spawn(registrar.run(connector));
    tracing::info!(name = config.name, place = config.place(), "worker started");
    let verdict = tokio::select! {
        verdict = keeper.run(place, lease, signals, patience) => verdict,
        // Its guard ends a command that runs.
        _ = &mut registrar => return Err(Error::Internal("the registrar ended".to_owned())),
    };
    stop.cancel();
    if timeout(STOP_LIMIT, registrar).await.is_err() {
        tracing::warn!("ZooKeeper has not confirmed the withdrawal: the znode goes with its session");
    }
    if let Some(side) = side {
        side.end().await;
    }
    tracing::info!("worker stopped");
    status(config, &verdict)
}

fn status(config: &WorkerConfig, verdict: &Verdict) -> Result<u8, Error> {
    let name = config.name.clone();
    match verdict {
        Verdict::Ended(End::Stopped) => Ok(crate::exit::OK),
        Verdict::Ended(End::Done(exit)) => Ok(exit.status()),
        Verdict::Ended(End::Interrupted) => Err(WorkError::TurnLost { name }.into()),
        Verdict::NotInTime(waited) => Err(WorkError::NoTurn { name, waited: *waited }.into()),
    }
}

fn rules(config: &WorkerConfig, once: bool) -> Rules {
    Rules { policy: Policy::new(config.restart, config.give_up_after, seed()), grace: config.grace, once }
}

fn recipe(config: &WorkerConfig, task: &Task) -> Recipe {
    Recipe { name: config.name.clone(), command: task.command.clone(), grace: config.grace }
}

fn identity(config: &WorkerConfig) -> Identity {
    Identity {
        guid: Uuid::new_v4().to_string(),
        node: config.common.node_name.clone(),
        terms: config.terms(),
        path: config.place().to_owned(),
        is_lock: config.is_lock,
    }
}

fn connector(config: &WorkerConfig) -> Result<ZooKeeperConnector, Error> {
    ZooKeeperConnector::of(&config.common).ok_or_else(|| Error::Setting {
        origin: Origin::Unset("zookeeper".to_owned()),
        problem: "a worker needs ZooKeeper: give host:port[,host:port...][/chroot]".to_owned(),
    })
}

/// Differs between processes and between calls.
fn seed() -> u64 {
    Uuid::new_v4().as_u64_pair().0
}
