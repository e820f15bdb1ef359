//! The one waiting room of all threads: a short lock around the pure order of `capitana_core::waiting`, and how those
//! whose turn it is are told. Whoever frees a place lets the next in; a task wakes up only for the rate and for changes
//! of the route.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use capitana_core::HostPort;
use capitana_core::waiting::{Arrival, Cause, Dial, Limits, Release, Ticket, WaitingRoom};
use tokio::sync::{oneshot, watch};

use super::route::RouteState;
use super::shared::Shared;
use crate::config::ProxyConfig;

/// Longer than any wait: nothing is due.
const NEVER: Duration = Duration::from_secs(3600);

/// The waiting room.
pub struct Room {
    inner: Mutex<Inner>,
    /// Rings when somebody may go earlier than was thought.
    alarm: watch::Sender<()>,
}

struct Inner {
    order: WaitingRoom,
    calls: HashMap<u64, oneshot::Sender<Place>>,
    /// The last failure to reach a server, and which.
    refused: Option<(HostPort, String)>,
    /// When somebody may go, if nothing happens before.
    next: Option<Duration>,
}

/// What a client that asks for its turn gets.
pub enum Turn {
    /// It may connect.
    Now(Place),
    /// It waits.
    Later(Waiter),
    /// Too many wait already.
    Full,
}

impl Room {
    /// An empty room with the limits of the settings.
    #[must_use]
    pub fn new(config: &ProxyConfig) -> Self {
        let limits = Limits {
            per_second: config.dial_rate,
            dials: config.dial_concurrency,
            sessions: config.max_upstream_connections,
            waiters: config.max_held,
        };
        let order = WaitingRoom::new(limits, u64::from(std::process::id()));
        let inner = Inner { order, calls: HashMap::new(), refused: None, next: None };
        Self { inner: Mutex::new(inner), alarm: watch::Sender::new(()) }
    }

    /// Why those wait that do, and what the last server that refused said.
    #[must_use]
    pub fn cause(&self) -> (Cause, Option<(HostPort, String)>) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        (inner.order.cause(), inner.refused.clone())
    }
}

/// Asks for a turn. A client that comes back brings the ticket it had.
pub fn arrive(shared: &Arc<Shared>, ticket: Ticket) -> Turn {
    with(shared, |inner, now| match inner.order.arrive(ticket, now) {
        Arrival::Pass => match inner.order.target() {
            Some(upstream) => Turn::Now(Place::new(shared, upstream)),
            None => Turn::Full,
        },
        Arrival::Wait => {
            let (call, called) = oneshot::channel();
            inner.calls.insert(ticket.id, call);
            Turn::Later(Waiter { shared: Arc::clone(shared), ticket, called })
        }
        Arrival::Full => Turn::Full,
    })
}

/// Lets clients in as time passes and routes change, until the proxy ends.
pub async fn run(shared: Arc<Shared>) {
    let (mut bell, mut alarm) = (shared.routes.subscribe(), shared.room.alarm.subscribe());
    loop {
        let next = with(&shared, |inner, now| inner.next.map_or(NEVER, |at| at.saturating_sub(now)));
        tokio::select! {
            _ = bell.changed() => {}
            _ = alarm.changed() => {}
            () = tokio::time::sleep(next) => {}
        }
    }
}

/// Does something under the lock and then lets in whoever may go. Those are told without the lock, as whoever is told
/// may be another thread's, or gone.
fn with<T>(shared: &Arc<Shared>, act: impl FnOnce(&mut Inner, Duration) -> T) -> T {
    let mut act = Some(act);
    let mut result = None;
    let mut undelivered: Vec<Place> = Vec::new();
    loop {
        let (called, alarm) = {
            let mut inner = shared.room.inner.lock().unwrap_or_else(PoisonError::into_inner);
            let now = shared.now();
            inner.aim(shared, now);
            if let Some(act) = act.take() {
                result = Some(act(&mut inner, now));
            }
            for place in undelivered.drain(..) {
                place.give_back(&mut inner, now);
            }
            let before = inner.next;
            let called = inner.release(shared, now);
            shared.metrics.held.set(inner.order.waiting() as i64);
            shared.metrics.upstream_connections.set(inner.order.sessions() as i64);
            (called, inner.next.is_some() && inner.next != before)
        };
        if alarm {
            shared.room.alarm.send_replace(());
        }
        undelivered.extend(called.into_iter().filter_map(|(call, place)| call.send(place).err()));
        if let Some(result) = result.take_if(|_| undelivered.is_empty()) {
            return result;
        }
    }
}

impl Inner {
    /// The route may have changed: it is read under the lock, so that no older one can follow a newer.
    fn aim(&mut self, shared: &Shared, now: Duration) {
        match &**shared.routes.load() {
            RouteState::Open(route) => self.order.aim(Some(&route.upstream), now),
            RouteState::Closed { .. } => self.order.aim(None, now),
        }
    }

    fn release(&mut self, shared: &Arc<Shared>, now: Duration) -> Vec<(oneshot::Sender<Place>, Place)> {
        let mut called = Vec::new();
        loop {
            let ticket = match self.order.release(now) {
                Release::Now(ticket) => ticket,
                Release::At(at) => {
                    self.next = Some(at);
                    return called;
                }
                Release::Nobody => {
                    self.next = None;
                    return called;
                }
            };
            shared.metrics.released.inc();
            if let (Some(call), Some(upstream)) = (self.calls.remove(&ticket.id), self.order.target()) {
                called.push((call, Place::new(shared, upstream)));
            }
        }
    }
}

/// A client that waits. Dropped: it has given up.
pub struct Waiter {
    shared: Arc<Shared>,
    ticket: Ticket,
    called: oneshot::Receiver<Place>,
}

impl Waiter {
    /// Waits for its turn. None: never, as the proxy ends.
    pub async fn turn(&mut self) -> Option<Place> {
        (&mut self.called).await.ok()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        with(&self.shared, |inner, _| {
            inner.order.leave(self.ticket);
            inner.calls.remove(&self.ticket.id);
        });
    }
}

/// A place on a server, from the dial to the end of the connection to it.
pub struct Place {
    shared: Arc<Shared>,
    upstream: HostPort,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Dialling,
    Taken,
    Gone,
}

impl Place {
    fn new(shared: &Arc<Shared>, upstream: &HostPort) -> Self {
        Self { shared: Arc::clone(shared), upstream: upstream.clone(), state: State::Dialling }
    }

    /// The server it is on.
    #[must_use]
    pub fn upstream(&self) -> &HostPort {
        &self.upstream
    }

    /// The server has greeted.
    pub fn taken(&mut self) {
        self.state = State::Taken;
        with(&self.shared, |inner, now| {
            inner.order.dialled(&self.upstream, Dial::Greeted, now);
            inner.refused = None;
        });
    }

    /// The server cannot be reached, and why.
    pub fn failed(mut self, cause: &str) {
        self.state = State::Gone;
        with(&self.shared, |inner, now| {
            inner.order.dialled(&self.upstream, Dial::Failed, now);
            inner.refused = Some((self.upstream.clone(), cause.to_owned()));
        });
    }

    fn give_back(mut self, inner: &mut Inner, now: Duration) {
        match std::mem::replace(&mut self.state, State::Gone) {
            State::Dialling => inner.order.dialled(&self.upstream, Dial::GivenUp, now),
            State::Taken => inner.order.session_ended(&self.upstream),
            State::Gone => {}
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Gone);
        if state == State::Gone {
            return;
        }
        with(&self.shared, |inner, now| match state {
            State::Dialling => inner.order.dialled(&self.upstream, Dial::GivenUp, now),
            _ => inner.order.session_ended(&self.upstream),
        });
    }
}
