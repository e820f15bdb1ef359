//! Keeps the lease on the ZooKeeper session up by heartbeats, and publishes it. The client library's own pings do not
//! show, so these are requests of our own: `sync`, which only the leader answers. What a lease is worth is decided in
//! `capitana_core::lease`.

use std::convert::Infallible;
use std::sync::Arc;

use capitana_core::lease::{Lease, Standing, heartbeat};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::clock::BootClock;
use crate::control::Coordinator;

/// Renews the lease.
#[derive(Debug, Clone)]
pub struct Heart {
    lease: Arc<watch::Sender<Lease>>,
    clock: BootClock,
}

/// A lease as `/status` shows it. Other agents read `held`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LeaseStatus {
    /// How long ago the request was sent that ZooKeeper acknowledged last.
    pub age_ms: u64,
    /// The session timeout that was agreed on.
    pub timeout_ms: u64,
    /// Whether it is no more than a third of that old: this process sees ZooKeeper.
    pub held: bool,
}

impl Heart {
    /// One that has not beaten yet, and where it publishes.
    #[must_use]
    pub fn new() -> (Self, watch::Receiver<Lease>) {
        let (lease, published) = watch::channel(Lease::new());
        (Self { lease: Arc::new(lease), clock: BootClock }, published)
    }

    /// Beats on `session` until the future is dropped. One heartbeat at a time: those that are asked for while the link is down
    /// queue in the library.
    pub async fn beat<C: Coordinator>(&self, session: &C) -> Infallible {
        let timeout = session.session_timeout();
        loop {
            let (sent, next) = (self.clock.now(), Instant::now() + heartbeat(timeout));
            match session.sync("/").await {
                Ok(()) => self.lease.send_modify(|lease| lease.renew(sent, timeout)),
                Err(error) => tracing::debug!(%error, "a heartbeat was not acknowledged"),
            }
            sleep_until(next).await;
        }
    }
}

impl LeaseStatus {
    /// The lease now. None: there has never been one.
    #[must_use]
    pub fn of(lease: Lease) -> Option<Self> {
        let now = BootClock.now();
        let milliseconds = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Some(Self {
            age_ms: milliseconds(lease.age(now)?),
            timeout_ms: milliseconds(lease.timeout()?),
            held: lease.standing(now) == Standing::Held,
        })
    }
}
