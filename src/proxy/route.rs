//! Where new sessions go at the moment, for the primary and for the replicas: one atomic load for a new session, one bell
//! for whoever waits. It is written on the control thread only: by the director, which closes and opens, and by a barrier
//! that has ended, which opens.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use capitana_core::replicas::Serving;
use capitana_core::{Epoch, Route};
use tokio::sync::watch;

/// Where new sessions go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteState {
    /// To this primary.
    Open(Route),
    /// Nowhere: they wait.
    Closed {
        /// Why, for the client whose patience ends.
        why: String,
        /// The newest epoch that was elected, also if it is not open yet: sessions of older ones are drained.
        newest: Option<Epoch>,
    },
}

impl RouteState {
    /// The newest epoch that was elected.
    #[must_use]
    pub fn newest(&self) -> Option<Epoch> {
        match self {
            Self::Open(route) => Some(route.epoch),
            Self::Closed { newest, .. } => *newest,
        }
    }
}

/// The route to the primary.
pub type RouteTable = Table<RouteState>;
/// The members that serve as replicas.
pub type ReplicaTable = Table<Serving>;

/// Something of the moment, shared by every thread.
#[derive(Debug)]
pub struct Table<T> {
    state: ArcSwap<T>,
    bell: watch::Sender<()>,
}

impl<T: PartialEq> Table<T> {
    /// A table that begins with `state`.
    #[must_use]
    pub fn new(state: T) -> Self {
        Self { state: ArcSwap::from_pointee(state), bell: watch::Sender::new(()) }
    }

    /// What holds at the moment.
    #[must_use]
    pub fn load(&self) -> Guard<Arc<T>> {
        self.state.load()
    }

    /// The same, to keep.
    #[must_use]
    pub fn load_full(&self) -> Arc<T> {
        self.state.load_full()
    }

    /// Rings after each change. Subscribe first and load second, so that no change is missed.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.bell.subscribe()
    }

    /// Swaps it; a state that is there already rings no bell. Answers whether it was another.
    pub fn set(&self, state: T) -> bool {
        let is_new = **self.state.load() != state;
        if is_new {
            self.state.store(Arc::new(state));
            self.bell.send_replace(());
        }
        is_new
    }
}
