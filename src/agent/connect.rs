//! How the agent's registrar comes by a session: the last one if it can be had, also that of the agent that ran here
//! before, or a new one. When to try, and how often, is the registrar's.

use std::sync::{Mutex, PoisonError};

use super::state::State;
use crate::control::{
    Coordinator, CoordinatorError, LastSession, SavedSession, ZooKeeper, ZooKeeperConnector,
};
use crate::registrar::Connect;

/// Opens sessions with ZooKeeper, the first one where the agent that ran here before has left off, and remembers each.
pub struct Remembering {
    connector: ZooKeeperConnector,
    state: Option<State>,
    inherited: Mutex<Option<SavedSession>>,
}

impl Remembering {
    /// Begins with `inherited`, if it can be had.
    #[must_use]
    pub fn new(connector: ZooKeeperConnector, state: Option<State>, inherited: Option<SavedSession>) -> Self {
        Self { connector, state, inherited: Mutex::new(inherited) }
    }

    fn inherited(&self) -> Option<SavedSession> {
        self.inherited.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn open(&self, last: Option<&LastSession>) -> Result<ZooKeeper, CoordinatorError> {
        if let Some(last) = last {
            return self.connector.resume(last).await;
        }
        let Some(saved) = self.inherited() else { return self.connector.connect().await };
        let Some(last) = LastSession::restore(&saved).await else { return self.connector.connect().await };
        let session = self.connector.resume(&last).await?;
        if saved.id() == session.session_id() {
            tracing::info!("went on with the session of the agent that ran here before");
        }
        Ok(session)
    }

    /// What is inherited counts until the first session; that and every later one is left to the next agent.
    fn remember(&self, session: &ZooKeeper) {
        self.inherited.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(state) = self.state.clone() else { return };
        let session = LastSession::of(session);
        tokio::spawn(async move {
            match session.save().await {
                Some(saved) => state.remember(saved),
                None => tracing::warn!("the session is not kept: a killed agent will not go on with it"),
            }
        });
    }
}

impl Connect for Remembering {
    type Session = ZooKeeper;
    type Last = LastSession;

    async fn connect(&self, last: Option<&LastSession>) -> Result<ZooKeeper, CoordinatorError> {
        let session = self.open(last).await?;
        self.remember(&session);
        Ok(session)
    }

    fn last(session: ZooKeeper) -> LastSession {
        LastSession::of(&session)
    }
}
