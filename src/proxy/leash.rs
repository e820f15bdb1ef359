//! The means by which a session is told to end, and asked whether it may: a few cells a session, shared with its worker
//! on the same thread. It decides nothing and wakes one task.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use capitana_core::handshake::Seen;
use capitana_core::replicas::Serving;
use capitana_core::{EndReason, Epoch, Role, Route};
use serde::Serialize;

/// How far a session has come, for whoever considers ending it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It waits for a primary, or for the primary's greeting. It belongs to no epoch yet.
    Held,
    /// Its client and server shake hands.
    Handshake,
    /// It is open.
    Open,
}

/// Which sessions a drain is about.
#[derive(Debug, Clone)]
pub enum Stale {
    /// Those with a primary older than this.
    Older(Epoch),
    /// Those with a server that does not serve as a replica.
    Elsewhere(Arc<Serving>),
}

/// What a draining worker asks of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Stop reading from the client and report; one that is not quiet goes on at once.
    Inspect,
    /// The same, but one that is not quiet stays stopped until it is: what its client sends next is not taken.
    Await,
    /// End if nothing has happened since the report, go on otherwise. For one that was awaited, what its client has
    /// sent since does not count: it is told that it was not sent on.
    EndIfQuiet,
    /// Go on.
    Resume,
}

/// What a session reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// Something is on its way, or the client has sent something new.
    Busy,
    /// Nothing is on its way, and the client is not read.
    Quiet {
        /// When the client spoke, if it spoke last; none: the server did.
        client_spoke: Option<Instant>,
        /// Whether the server's last word was that the session is in a transaction.
        in_transaction: bool,
    },
}

/// One session, as its worker sees it.
#[derive(Debug)]
pub struct Leash {
    /// The session's number, unique in this process.
    pub id: u64,
    /// What its listener leads to.
    pub role: Role,
    /// The client's address; behind a load balancer that sends PROXY headers, what it says.
    pub client: Cell<SocketAddr>,
    /// Where it goes, once a server has greeted.
    pub route: OnceCell<Route>,
    /// What its handshake showed, once that is over.
    pub seen: OnceCell<Seen>,
    /// When it was accepted, in milliseconds since 1970 UTC.
    pub since_ms: u64,
    /// The same on the monotonic clock.
    pub since: Instant,
    phase: Cell<Phase>,
    end: Cell<Option<EndReason>>,
    order: Cell<Option<Order>>,
    report: Cell<Option<Report>>,
    waker: RefCell<Option<Waker>>,
}

impl Leash {
    /// A session that has just been accepted.
    #[must_use]
    pub fn new(id: u64, role: Role, client: SocketAddr, since_ms: u64) -> Self {
        Self {
            id,
            role,
            client: Cell::new(client),
            route: OnceCell::new(),
            seen: OnceCell::new(),
            since_ms,
            since: Instant::now(),
            phase: Cell::new(Phase::Held),
            end: Cell::new(None),
            order: Cell::new(None),
            report: Cell::new(None),
            waker: RefCell::new(None),
        }
    }

    /// How far it has come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// The primary it goes to; none for one that goes to a replica. Failovers are the primary's.
    #[must_use]
    pub fn primary_route(&self) -> Option<&Route> {
        self.route.get().filter(|_| self.role == Role::Primary)
    }

    /// The id of its thread on the server, where the handshake showed it.
    #[must_use]
    pub fn thread_id(&self) -> Option<u32> {
        self.seen.get().and_then(|seen| seen.thread_id)
    }

    /// Whether its packets can be read.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.seen.get().is_some_and(|seen| seen.readable)
    }

    /// Whether it goes where it should not stay. One that goes nowhere yet does not.
    #[must_use]
    pub fn is_stale(&self, stale: &Stale) -> bool {
        self.route.get().is_some_and(|route| match (stale, self.role) {
            (Stale::Older(newest), Role::Primary) => route.epoch < *newest,
            (Stale::Elsewhere(serving), Role::Replica) => !serving.keeps(&route.upstream),
            (Stale::Older(_), Role::Replica) | (Stale::Elsewhere(_), Role::Primary) => false,
        })
    }

    /// To be called by the session as it proceeds.
    pub fn enter(&self, phase: Phase) {
        self.phase.set(phase);
    }

    /// Tells the session to end. The first reason stands.
    pub fn end(&self, reason: EndReason) {
        if self.end.get().is_none() {
            self.end.set(Some(reason));
            self.wake();
        }
    }

    /// Gives an open session an order; its report to the one before is forgotten.
    pub fn order(&self, order: Order) {
        self.report.set(None);
        self.order.set(Some(order));
        self.wake();
    }

    /// The order to carry out, once.
    pub fn take_order(&self) -> Option<Order> {
        self.order.take()
    }

    /// To be called by the session when it was inspected.
    pub fn report(&self, report: Report) {
        self.report.set(Some(report));
    }

    /// What the session reported since it was last ordered something.
    pub fn reported(&self) -> Option<Report> {
        self.report.get()
    }

    /// Whether the session was told to end; the task is woken when it is, and when there is an order.
    pub fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<EndReason> {
        if let Some(reason) = self.end.get() {
            return Poll::Ready(reason);
        }
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Waits until the session is told to end.
    pub async fn ended(&self) -> EndReason {
        poll_fn(|cx| self.poll_ended(cx)).await
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
