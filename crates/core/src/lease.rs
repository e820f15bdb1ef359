//! The lease an agent has on its ZooKeeper session: until when it may rely on its znode. Pure: who renews it, and by
//! which requests, is its caller's, and so is the clock, which must go on while the process is stopped.
//!
//! ZooKeeper ends a session that it has not heard of for the session timeout *T*. What it has heard is known only
//! when it answers; when it heard it is not known, but it was not before it was sent. So each acknowledged request renews
//! the lease to *the time at which it was sent*. Requests that the leader answers (`sync`) are what counts: a follower that is
//! cut off from the leader goes on to answer others.
//!
//! The leader learns of a session that is kept up with a follower when it next asks the follower, half a tick later at most,
//! and *T* is two ticks at least. So the session lives at least until 3/4 *T* after the sending, and what is to be done
//! before its end is begun at 2/3 *T*.

use std::time::Duration;

/// The lease, on the clock of those who renew it and ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lease {
    current: Option<Current>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Current {
    renewed: Duration,
    timeout: Duration,
}

/// What a lease is worth, by its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// There has never been one: there is no session, and no znode.
    Never,
    /// No more than 1/3 of the session timeout old: a lost heartbeat or none.
    Held,
    /// Older than that: ZooKeeper does not answer.
    InDoubt,
    /// 2/3 of the session timeout old, or older: the session may end soon, or has ended.
    Expired,
}

impl Lease {
    /// No lease yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { current: None }
    }

    /// A request was acknowledged that was sent at `sent`, in a session with this negotiated timeout. Acknowledgements may
    /// come in any order: one of an earlier request renews nothing.
    pub fn renew(&mut self, sent: Duration, timeout: Duration) {
        if self.current.is_none_or(|current| sent >= current.renewed) {
            self.current = Some(Current { renewed: sent, timeout });
        }
    }

    /// How long ago the request was sent that was acknowledged last.
    #[must_use]
    pub fn age(&self, now: Duration) -> Option<Duration> {
        self.current.map(|current| now.saturating_sub(current.renewed))
    }

    /// The negotiated session timeout.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.current.map(|current| current.timeout)
    }

    /// What it is worth now.
    #[must_use]
    pub fn standing(&self, now: Duration) -> Standing {
        let Some(Current { renewed, timeout }) = self.current else { return Standing::Never };
        match now.saturating_sub(renewed) {
            age if age * 3 <= timeout => Standing::Held,
            age if age * 3 < timeout * 2 => Standing::InDoubt,
            _ => Standing::Expired,
        }
    }

    /// When it expires if it is not renewed.
    #[must_use]
    pub fn expires(&self) -> Option<Duration> {
        self.current.map(|current| current.renewed + current.timeout * 2 / 3)
    }

    /// From when on the word of another agent counts: when half the session timeout has passed. Heartbeats come every
    /// tenth of it, so another agent's lease is then over a third old if ZooKeeper has failed for everybody, and no longer
    /// held.
    #[must_use]
    pub fn others_count_from(&self) -> Option<Duration> {
        self.current.map(|current| current.renewed + current.timeout / 2)
    }
}

/// Time between two heartbeats with this session timeout. Two of them may be lost before the lease is in doubt; and whoever
/// was cut off for half the timeout is back before it has expired, though the cut was just before a heartbeat.
#[must_use]
pub fn heartbeat(timeout: Duration) -> Duration {
    timeout / 10
}
