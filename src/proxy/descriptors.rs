//! How many file descriptors are left for clients. One is accepted only when there are two, its own and that of its
//! server: otherwise the last would be taken by clients that cannot be served.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI64, AtomicUsize};

use tokio::sync::watch;

/// Descriptors of a session: its client's and its server's.
pub const SESSION: i64 = 2;
/// Those of a connection that outlives its session.
pub const CONNECTION: i64 = 1;

/// What is left. It may be less than nothing while connections outlive their sessions.
#[derive(Debug)]
pub struct Descriptors {
    left: AtomicI64,
    /// Listeners that wait for some to come back. Each is counted before it looks for the last time, and what comes back is
    /// there before these are looked for; all of that is in one order (`SeqCst`), so that one of the two sees the other.
    waiting: AtomicUsize,
    /// Rings for them.
    returned: watch::Sender<()>,
}

impl Descriptors {
    /// For so many sessions; none: as many as come.
    #[must_use]
    pub fn for_sessions(sessions: Option<u64>) -> Arc<Self> {
        let sessions = sessions.and_then(|sessions| i64::try_from(sessions).ok());
        let left = sessions.and_then(|sessions| sessions.checked_mul(SESSION)).unwrap_or(i64::MAX / 2);
        Arc::new(Self {
            left: AtomicI64::new(left),
            waiting: AtomicUsize::new(0),
            returned: watch::Sender::new(()),
        })
    }

    /// Those of a session, once there are enough.
    pub async fn for_session(self: &Arc<Self>) -> Reserved<SESSION> {
        let _waiting = Waiting::among(&self.waiting);
        let mut returned = self.returned.subscribe();
        loop {
            if let Some(reserved) = self.try_for_session() {
                return reserved;
            }
            // There is a sender as long as this is borrowed.
            let _ = returned.changed().await;
        }
    }

    /// Those of a session, if there are enough.
    pub fn try_for_session(self: &Arc<Self>) -> Option<Reserved<SESSION>> {
        let take = |left: i64| (left >= SESSION).then(|| left - SESSION);
        self.left.fetch_update(SeqCst, SeqCst, take).is_ok().then(|| Reserved(Arc::clone(self)))
    }

    /// That of a connection which exists already and outlives its session.
    #[must_use]
    pub fn for_connection(self: &Arc<Self>) -> Reserved<CONNECTION> {
        self.left.fetch_sub(CONNECTION, SeqCst);
        Reserved(Arc::clone(self))
    }
}

/// Somebody who waits, until this is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn among(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// So many descriptors, given back when this is dropped, which is to be after they were closed. How many is part of the
/// type because each of many thousand sessions has one.
#[derive(Debug)]
pub struct Reserved<const MANY: i64>(Arc<Descriptors>);

impl<const MANY: i64> Drop for Reserved<MANY> {
    fn drop(&mut self) {
        self.0.left.fetch_add(MANY, SeqCst);
        if self.0.waiting.load(SeqCst) > 0 {
            self.0.returned.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn there_is_room_for_so_many_sessions_and_for_the_next_when_one_has_ended() {
        let descriptors = Descriptors::for_sessions(Some(2));
        let first = descriptors.try_for_session().unwrap();
        let _second = descriptors.try_for_session().unwrap();
        assert!(descriptors.try_for_session().is_none());
        drop(first);
        assert!(descriptors.try_for_session().is_some());
    }

    #[test]
    fn a_connection_that_outlives_its_session_keeps_the_next_session_out() {
        let descriptors = Descriptors::for_sessions(Some(1));
        let session = descriptors.try_for_session().unwrap();
        let connection = descriptors.for_connection();
        drop(session);
        assert!(descriptors.try_for_session().is_none());
        drop(connection);
        assert!(descriptors.try_for_session().is_some());
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_what_comes_back() {
        let descriptors = Descriptors::for_sessions(Some(1));
        let session = descriptors.for_session().await;
        let waiter = tokio::spawn({
            let descriptors = Arc::clone(&descriptors);
            async move { drop(descriptors.for_session().await) }
        });
        tokio::task::yield_now().await;
        drop(session);
        waiter.await.unwrap();
    }

    #[test]
    fn without_a_limit_there_is_room_for_all() {
        assert!(Descriptors::for_sessions(None).try_for_session().is_some());
    }
}
