//! `capitana proxy`: accepts clients, follows the election, relays. This file starts the threads and stops them; see
//! ARCHITECTURE.md for the table of tasks.

mod admission;
mod amends;
mod ask;
mod barrier;
mod begun;
mod by_role;
mod causal;
mod clock;
mod close;
mod deadlines;
mod descriptors;
mod dial;
mod director;
mod drain;
mod durations;
mod entry;
mod follow;
mod gate;
mod hold;
mod init_sql;
mod inspect;
mod lead;
mod leash;
mod leavers;
mod listener;
mod metrics;
mod milestones;
mod monitor;
mod observer;
mod obstacle;
mod part;
mod peek;
mod pipe;
mod proxy_header;
mod pulse;
mod registry;
pub mod relay;
mod rounds;
mod route;
mod service;
mod session;
mod shared;
mod socket;
mod status;
mod stopwatch;
mod threads;
mod waiting;
mod watchdog;
mod worker;

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use capitana_core::{Epoch, Route};
use prometheus::Registry;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::admin::AdminServer;
use crate::config::ProxyConfig;
use crate::config::settings::ProxySettings;
use crate::control::ZooKeeperConnector;
use crate::error::Error;
use crate::limits;
use crate::live::{self, Keeper, Live};
use crate::service::Service;
use crate::signals::{Signal, Signals};
use descriptors::Descriptors;
use director::{Director, ElectionStatus};
use listener::{Limits, WorkerHandle};
use metrics::{ProxyMetrics, WorkerCounters};
use route::{RouteState, RouteTable};
use shared::Shared;
use status::ProxyView;
use threads::{Threads, current_thread, system};

/// How long sessions that were told to end may take for it.
const LAST_STEPS: Duration = Duration::from_secs(3);
/// How long threads that wait for a disk or a name lookup may hold up the end.
const THREADS_LIMIT: Duration = Duration::from_millis(100);

/// Runs the proxy with these settings, which may change, until it is told to stop.
///
/// # Errors
/// An address cannot be bound, or the system refused a thread.
pub fn run(mut live: Live<ProxySettings>) -> Result<(), Error> {
    let config = live.config().clone();
    let runtime = current_thread()?;
    let relay_threads =
        config.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let sessions = capacity(relay_threads, config.listeners().count())?;
    let bind = |of_role| listener::bind(of_role, relay_threads, config.stall_timeout);
    let listeners = config.listeners().map(bind).collect::<Result<Vec<_>, _>>()?;
    let counters: Vec<Arc<WorkerCounters>> = (0..relay_threads).map(|_| Arc::default()).collect();
    let registry = Registry::new();
    let metrics = ProxyMetrics::register(&registry, &counters).map_err(|e| Error::Internal(e.to_string()))?;
    live.register_log(&registry)?;
    live::metrics::register(&registry, &live.status()).map_err(|e| Error::Internal(e.to_string()))?;
    let routes = RouteTable::new(first_route(&config));
    metrics.route_open.set(i64::from(config.primary.is_some()));
    let (amends, broken_off) = amends::Amends::new();
    metrics.sessions_limit.set(sessions.and_then(|sessions| sessions.try_into().ok()).unwrap_or(0));
    let descriptors = Descriptors::for_sessions(sessions);
    let shared = Arc::new(Shared::new(config, routes, metrics, (amends, descriptors)));
    shared.dialler.check()?;

    let ended = runtime.block_on(async {
        let mut signals = Signals::new().map_err(|source| system("cannot handle signals", source))?;
        let (election, mut follower) = start_follower(&shared).unzip();
        let (side, side_view) = service::start(&shared, live.follow()).unzip();
        let view = Arc::new(ProxyView {
            shared: Arc::clone(&shared),
            election,
            side: side_view,
            config: live.status(),
        });
        let admin_stop = CancellationToken::new();
        let address = shared.config.load().common.admin_listen;
        let admin = AdminServer::bind(address, registry, view).await?;
        tokio::spawn(admin.serve(admin_stop.clone()));

        let mut threads = Threads::new();
        let workers = threads.start_workers(&shared, counters)?;
        start_control(&shared, &workers, broken_off);
        threads.accept(listeners, |role| Limits::new(role, &shared.config.load()), &workers).await?;
        shared.workers.store(Some(Arc::new(workers)));
        let (listen, replica_listen) = {
            let config = shared.config.load();
            (config.listen.clone(), config.replica_listen.clone())
        };
        tracing::info!(?listen, ?replica_listen, admin = %address, relay_threads, "proxy started");
        let service = Service::from_environment();
        tokio::spawn(watchdog::run(Arc::clone(&shared), service));
        service.ready("accepting clients");
        let (parts, mut settings) = ((&mut threads, follower.as_mut()), keeper(live, &shared, service));
        until_stopped(&mut signals, parts, &mut settings).await?;
        service.stopping("letting sessions finish");
        tokio::join!(service::end(side), wind_down(&shared, &mut signals, &mut threads));
        admin_stop.cancel();
        // The log is written as long as they are there.
        Ok(settings)
    });
    runtime.shutdown_timeout(THREADS_LIMIT);
    ended.map(drop)
}

/// How many sessions the descriptors allow. Who comes when there are so many waits in the listen queue; whoever runs the
/// proxy should know the number beforehand.
///
/// # Errors
/// There are not enough for one.
fn capacity(threads: usize, listeners: usize) -> Result<Option<u64>, Error> {
    match limits::raise_open_files(threads, listeners) {
        Ok(Some(0)) => {
            let source = io::Error::other("it is too low for a single session (LimitNOFILE= in systemd)");
            Err(system("cannot serve with this limit of open files", source))
        }
        Ok(sessions) => {
            tracing::info!(sessions, "descriptors suffice for this many sessions");
            Ok(sessions)
        }
        Err(error) => {
            tracing::warn!(%error, "the limit of open files cannot be raised (LimitNOFILE= in systemd)");
            Ok(None)
        }
    }
}

/// With a fixed primary there is no election; its epoch is 0 for ever.
fn first_route(config: &ProxyConfig) -> RouteState {
    match &config.primary {
        Some(upstream) => RouteState::Open(Route { epoch: Epoch(0), upstream: upstream.clone() }),
        None => RouteState::Closed { why: "ZooKeeper has not answered yet".to_owned(), newest: None },
    }
}

/// Everything that goes on beside the workers whether there is an election or not.
fn start_control(shared: &Arc<Shared>, workers: &[WorkerHandle], broken_off: amends::Inbox) {
    tokio::spawn(amends::run(Arc::clone(shared), broken_off));
    tokio::spawn(waiting::run(Arc::clone(shared)));
    tokio::spawn(drain::run(Arc::clone(shared), workers.to_vec()));
    tokio::spawn(leavers::run(Arc::clone(shared), workers.to_vec()));
}

fn start_follower(shared: &Arc<Shared>) -> Option<(watch::Receiver<ElectionStatus>, JoinHandle<()>)> {
    let config = shared.config.load();
    let connector = ZooKeeperConnector::of(&config.common).filter(|_| config.primary.is_none())?;
    let path = config.common.election_path.clone();
    let (director, status) = Director::new(Arc::clone(shared), path.clone());
    let follower = tokio::spawn(follow::follow(connector, path, director, seed()));
    tokio::spawn(lead::run(Arc::clone(shared)));
    tokio::spawn(pulse::run(Arc::clone(shared)));
    let teller = Arc::clone(shared);
    tokio::spawn(async move { teller.milestones.tell().await });
    Some((status, follower))
}

/// Who keeps the settings, and has everybody follow them.
fn keeper(mut live: Live<ProxySettings>, shared: &Arc<Shared>, service: Service) -> Keeper<ProxySettings> {
    let shared = Arc::clone(shared);
    live.applied_by(move |config| shared.take_over(config.clone()));
    Keeper::new(live, service)
}

/// Follows the settings until the first order to stop.
///
/// # Errors
/// A thread or the follower ended by itself: half a proxy is worse than none, as whoever watches over it restarts it.
async fn until_stopped(
    signals: &mut Signals,
    (threads, follower): (&mut Threads, Option<&mut JoinHandle<()>>),
    settings: &mut Keeper<ProxySettings>,
) -> Result<(), Error> {
    let mut follower_ended = pin!(async {
        match follower {
            Some(follower) => drop(follower.await),
            None => std::future::pending().await,
        }
    });
    loop {
        tokio::select! {
            () = &mut follower_ended => return Err(Error::Internal("the election's follower has ended".to_owned())),
            signal = signals.next() => match signal {
                Signal::Stop => return Ok(()),
                Signal::Reload => settings.reload(),
            },
            error = settings.keep() => return Err(error),
            role = threads.first_ended() => {
                return Err(Error::Internal(format!("the thread for \"{role}\" has ended")));
            }
        }
    }
}

/// Lets sessions finish up to the limit, then ends them; a second order to stop ends them at once.
async fn wind_down(shared: &Shared, signals: &mut Signals, threads: &mut Threads) {
    shared.stop.cancel();
    // Workers end when nobody can send them anything any more.
    shared.workers.store(None);
    let limit = shared.config.load().shutdown_timeout;
    let sessions = shared.metrics.sessions();
    tracing::info!(sessions, limit_s = limit.as_secs_f64(), "stopping: no new connections");
    tokio::select! {
        () = threads.all_ended() => return,
        () = tokio::time::sleep(limit) => {}
        () = stop_again(signals) => {}
    }
    tracing::info!(sessions = shared.metrics.sessions(), "stopping: ending the sessions that are left");
    shared.kill.cancel();
    let _ = tokio::time::timeout(LAST_STEPS, threads.all_ended()).await;
}

async fn stop_again(signals: &mut Signals) {
    while signals.next().await != Signal::Stop {}
}

/// Differs between proxies that start together: the process and the time to the nanosecond.
fn seed() -> u64 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::from(d.subsec_nanos()));
    nanos << 32 ^ u64::from(std::process::id())
}
