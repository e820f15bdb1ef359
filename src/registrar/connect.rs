//! How the registrar comes by a session, small enough to be faked in a test: the last one if it can be had, or a new
//! one. When to try, and how often, is the registrar's.

use crate::control::{Coordinator, CoordinatorError, LastSession, ZooKeeper, ZooKeeperConnector};

/// Opens sessions.
pub trait Connect: Send + Sync + 'static {
    /// What it opens.
    type Session: Coordinator;
    /// What it needs to go on with a session that is over here but maybe not in the ensemble.
    type Last: Send + Sync;

    /// Goes on with `last`, or opens a new session where there is none or the ensemble does not know it any more.
    fn connect(
        &self,
        last: Option<&Self::Last>,
    ) -> impl Future<Output = Result<Self::Session, CoordinatorError>> + Send;

    /// Leaves off using a session.
    fn last(session: Self::Session) -> Self::Last;
}

impl Connect for ZooKeeperConnector {
    type Session = ZooKeeper;
    type Last = LastSession;

    async fn connect(&self, last: Option<&LastSession>) -> Result<ZooKeeper, CoordinatorError> {
        match last {
            Some(last) => self.resume(last).await,
            None => Self::connect(self).await,
        }
    }

    fn last(session: ZooKeeper) -> LastSession {
        LastSession::of(&session)
    }
}
