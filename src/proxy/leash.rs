//! The means by which a session is told to end: one cell a session, shared with its worker on the same thread. It
//! decides nothing and wakes one task.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};

use capitana_core::{EndReason, Epoch};

/// How far a session has come, for whoever considers ending it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It waits for a primary, or for the primary's greeting. It belongs to no epoch yet.
    Held,
    /// Its client and server shake hands.
    Handshake(Epoch),
    /// It is open.
    Open(Epoch),
}

/// One session, as its worker sees it.
#[derive(Debug)]
pub struct Leash {
    /// The session's number, unique in this process.
    pub id: u64,
    /// The client's address.
    pub client: SocketAddr,
    phase: Cell<Phase>,
    end: Cell<Option<EndReason>>,
    waker: RefCell<Option<Waker>>,
}

impl Leash {
    /// A session that has just been accepted.
    #[must_use]
    pub fn new(id: u64, client: SocketAddr) -> Self {
        Self { id, client, phase: Cell::new(Phase::Held), end: Cell::new(None), waker: RefCell::new(None) }
    }

    /// How far it has come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// To be called by the session as it proceeds.
    pub fn enter(&self, phase: Phase) {
        self.phase.set(phase);
    }

    /// Tells the session to end. The first reason stands.
    pub fn end(&self, reason: EndReason) {
        if self.end.get().is_none() {
            self.end.set(Some(reason));
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }

    /// Whether the session was told to end; the task is woken when it is.
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
}
