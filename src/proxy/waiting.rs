//! The one waiting room of all threads and both roles: a short lock around the pure order of `capitana_core::waiting`, and how those
//! whose turn it is are told. Whoever frees a place lets the next in; a task wakes up only for the rate and for changes
//! of the route.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use capitana_core::replicas::Serving;
use capitana_core::waiting::{Arrival, Cause, Dial, Limits, Load, Release, Target, Ticket, WaitingRoom};
use capitana_core::{HostPort, Role};
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
    /// What the order was last told of where clients go.
    aimed: (Option<Arc<RouteState>>, Option<Arc<Serving>>),
    /// The last failure to reach a server, and which, by `Role::index`.
    refused: [Option<(HostPort, String)>; Role::ALL.len()],
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
        let (aimed, refused) = ((None, None), Role::ALL.map(|_| None));
        let inner = Inner { order, calls: HashMap::new(), aimed, refused, next: None };
        Self { inner: Mutex::new(inner), alarm: watch::Sender::new(()) }
    }

    /// Why those of this role wait that do, and what the last server that refused one said.
    #[must_use]
    pub fn cause(&self, role: Role) -> (Cause, Option<(HostPort, String)>) {
        let inner = self.inner();
        (inner.order.cause(role), inner.refused[role.index()].clone())
    }

    /// What a server is busy with.
    #[must_use]
    pub fn load(&self, upstream: &HostPort) -> Load {
        self.inner().order.load(upstream)
    }

    /// Every change is whole when the lock is let go of, also by a thread that panics.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks for a turn. A client that comes back brings the ticket it had.
pub fn arrive(shared: &Arc<Shared>, ticket: Ticket) -> Turn {
    with(shared, |inner, now| match inner.order.arrive(ticket, now) {
        Arrival::Pass(upstream) => Turn::Now(Place::new(shared, ticket.role, upstream)),
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
    let mut replicas_bell = shared.replicas.subscribe();
    loop {
        let next = with(&shared, |inner, now| inner.next.map_or(NEVER, |at| at.saturating_sub(now)));
        tokio::select! {
            _ = bell.changed() => {}
            _ = replicas_bell.changed() => {}
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
            let mut inner = shared.room.inner();
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
            for role in Role::ALL {
                shared.metrics.of(role).held.set(inner.order.waiting_for(role) as i64);
            }
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
    /// What clients go to may have changed: it is read under the lock, so that nothing older can follow what is newer.
    fn aim(&mut self, shared: &Shared, now: Duration) {
        let route = shared.routes.load();
        if !self.aimed.0.as_ref().is_some_and(|aimed| Arc::ptr_eq(aimed, &route)) {
            let target = match &**route {
                RouteState::Open(route) => Some(Target { upstream: route.upstream.clone(), weight: 1 }),
                RouteState::Closed { .. } => None,
            };
            self.order.aim(Role::Primary, target.as_slice(), now);
            self.aimed.0 = Some(Arc::clone(&route));
        }
        let serving = shared.replicas.load();
        if !self.aimed.1.as_ref().is_some_and(|aimed| Arc::ptr_eq(aimed, &serving)) {
            self.order.aim(Role::Replica, &serving.targets(), now);
            self.aimed.1 = Some(Arc::clone(&serving));
        }
    }

    fn release(&mut self, shared: &Arc<Shared>, now: Duration) -> Vec<(oneshot::Sender<Place>, Place)> {
        let mut called = Vec::new();
        loop {
            let (ticket, upstream) = match self.order.release(now) {
                Release::Now(ticket, upstream) => (ticket, upstream),
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
            if let Some(call) = self.calls.remove(&ticket.id) {
                called.push((call, Place::new(shared, ticket.role, upstream)));
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
    role: Role,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Dialling,
    Taken,
    Gone,
}

impl Place {
    fn new(shared: &Arc<Shared>, role: Role, upstream: HostPort) -> Self {
        Self { shared: Arc::clone(shared), upstream, role, state: State::Dialling }
    }

    /// The server it is on.
    #[must_use]
    pub fn upstream(&self) -> &HostPort {
        &self.upstream
    }

    /// What its client waited for.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The server has greeted.
    pub fn taken(&mut self) {
        self.state = State::Taken;
        with(&self.shared, |inner, now| {
            inner.order.dialled(self.role, &self.upstream, Dial::Greeted, now);
            inner.refused[self.role.index()] = None;
        });
    }

    /// The server cannot be reached, and why.
    pub fn failed(mut self, cause: &str) {
        self.state = State::Gone;
        with(&self.shared, |inner, now| {
            inner.order.dialled(self.role, &self.upstream, Dial::Failed, now);
            inner.refused[self.role.index()] = Some((self.upstream.clone(), cause.to_owned()));
        });
    }

    fn give_back(mut self, inner: &mut Inner, now: Duration) {
        match std::mem::replace(&mut self.state, State::Gone) {
            State::Dialling => inner.order.dialled(self.role, &self.upstream, Dial::GivenUp, now),
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
            State::Dialling => inner.order.dialled(self.role, &self.upstream, Dial::GivenUp, now),
            _ => inner.order.session_ended(&self.upstream),
        });
    }
}
