//! What every thread of the proxy shares: settings, the route, limits, metrics, and the two ways to stop.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use capitana_core::pulse::Pulse;
use capitana_core::replicas::Serving;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::amends::Amends;
use super::barrier::Barriers;
use super::descriptors::Descriptors;
use super::dial::Dialler;
use super::listener::WorkerHandle;
use super::metrics::ProxyMetrics;
use super::milestones::Milestones;
use super::monitor::Account;
use super::part;
use super::route::{ReplicaTable, RouteTable};
use super::waiting::Room;
use crate::config::ProxyConfig;
use crate::disk::Disk;

/// Shared by the acceptors, the workers and the control tasks.
pub struct Shared {
    /// The settings in effect; those that can change while the proxy runs are read where they are used. `take_over` alone
    /// writes them.
    pub config: ArcSwap<ProxyConfig>,
    /// Rings after each change of them.
    settings: watch::Sender<()>,
    /// Where new sessions go.
    pub routes: RouteTable,
    /// Where those go that only read.
    pub replicas: ReplicaTable,
    /// Everything that is counted.
    pub metrics: ProxyMetrics,
    /// How servers are connected to.
    pub dialler: Dialler,
    /// Who may be let in on a new primary.
    pub barriers: Barriers,
    /// The record of failovers.
    pub milestones: Milestones,
    /// Clients that wait for a primary, and places on it.
    pub room: Room,
    /// Handshakes that are ended in the place of clients that have vanished.
    pub partings: Semaphore,
    /// Takes TLS handshakes that clients broke off.
    pub amends: Amends,
    /// What is left of file descriptors for clients.
    pub descriptors: Arc<Descriptors>,
    /// The ways to the workers, for the admin endpoint; none before they run and once the proxy stops.
    pub workers: ArcSwapOption<Vec<WorkerHandle>>,
    /// No more connections are accepted.
    pub stop: CancellationToken,
    /// Sessions that still run end now.
    pub kill: CancellationToken,
    /// The number of the next session.
    pub next_session: AtomicU64,
    /// Where the monitoring account's password is.
    disk: Disk,
    pulse: Mutex<Pulse>,
    started: Instant,
}

impl Shared {
    /// Everything at its start.
    #[must_use]
    pub fn new(
        config: ProxyConfig,
        routes: RouteTable,
        metrics: ProxyMetrics,
        (amends, descriptors): (Amends, Arc<Descriptors>),
    ) -> Self {
        let started = Instant::now();
        Self {
            barriers: Barriers::new(started),
            milestones: Milestones::new(started, metrics.durations.clone()),
            room: Room::new(&config),
            partings: Semaphore::new(part::AT_ONCE),
            amends,
            descriptors,
            dialler: Dialler::new(&config),
            config: ArcSwap::from_pointee(config),
            settings: watch::Sender::new(()),
            routes,
            replicas: ReplicaTable::new(Serving::default()),
            metrics,
            workers: ArcSwapOption::empty(),
            stop: CancellationToken::new(),
            kill: CancellationToken::new(),
            next_session: AtomicU64::new(1),
            disk: Disk::default(),
            pulse: Mutex::default(),
            started,
        }
    }

    /// Has these settings hold from now on, and tells whoever has to do something for it.
    pub fn take_over(&self, config: ProxyConfig) {
        self.config.store(Arc::new(config));
        self.settings.send_replace(());
    }

    /// Rings after each change of the settings. Subscribe first and load second, so that no change is missed.
    #[must_use]
    pub fn subscribe_settings(&self) -> watch::Receiver<()> {
        self.settings.subscribe()
    }

    /// As whom servers are asked. None: nobody is to ask.
    #[must_use]
    pub fn monitor(&self) -> Option<Account> {
        let settings = self.config.load().monitor.clone()?;
        Some(Account::new(settings, self.disk.clone()))
    }

    /// Whether the primary answers. Held for a moment each.
    pub fn pulse(&self) -> MutexGuard<'_, Pulse> {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process's monotonic clock, as the pure parts want it.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }
}
