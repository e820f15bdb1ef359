//! Follows the settings in ZooKeeper: reads them after each change and now and then without one, and those before them where
//! the current ones cannot be used. It publishes what is there and judges nothing.

use capitana_core::liveconfig::Current;
use tokio::sync::watch;

use super::status::{ConfigStatus, Standing};
use super::store::Store;
use crate::control::{Coordinator, CoordinatorError, Outcome, Watch};
use crate::side::{Part, Round};

/// What this part is called.
pub const NAME: &str = "config";

/// What is in ZooKeeper, as far as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// It has not been read yet.
    Nothing,
    /// This is in the znode; none: there is no znode.
    Read(Option<Current>),
    /// ZooKeeper answers, and does not let it be read: why, for people.
    Unreadable(String),
}

/// Reads the settings of one kind of daemon.
pub struct Follow {
    store: Store,
    told: watch::Sender<Watched>,
    /// Where it says that the current version is refused, those before it are read as well.
    status: watch::Receiver<ConfigStatus>,
}

impl Follow {
    /// Follows what is in `store`, for whoever publishes `status`; and where it says what it read.
    #[must_use]
    pub fn new(store: Store, status: watch::Receiver<ConfigStatus>) -> (Self, watch::Receiver<Watched>) {
        let (told, watched) = watch::channel(Watched::Nothing);
        (Self { store, told, status }, watched)
    }

    /// How the settings stand that it reads.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<ConfigStatus> {
        self.status.clone()
    }

    async fn look<C: Coordinator>(&self, session: &C) -> Result<Watch, CoordinatorError> {
        let mut status = self.status.clone();
        let had_earlier = status.borrow_and_update().standing == Standing::Refused;
        match self.read(session, had_earlier).await {
            Ok((current, watch)) => {
                self.told.send_replace(Watched::Read(current));
                Ok(Box::pin(async move {
                    let asked =
                        status.wait_for(|status| status.standing == Standing::Refused && !had_earlier);
                    tokio::select! {
                        () = watch => {}
                        Ok(_) = asked => {}
                    }
                }))
            }
            Err(error) => {
                if error.outcome == Outcome::Denied {
                    self.told.send_replace(Watched::Unreadable(error.to_string()));
                }
                Err(error)
            }
        }
    }

    async fn read<C: Coordinator>(
        &self,
        session: &C,
        with_earlier: bool,
    ) -> Result<(Option<Current>, Watch), CoordinatorError> {
        let (mut current, watch) = self.store.current(session).await?;
        if let Some(current) = current.as_mut().filter(|_| with_earlier) {
            let kept = self.store.history(session).await?;
            current.earlier = Some(kept.into_iter().map(|kept| kept.revision).collect());
        }
        Ok((current, watch))
    }
}

impl<C: Coordinator> Part<C> for Follow {
    fn name(&self) -> &'static str {
        NAME
    }

    fn round<'a>(&'a self, session: &'a C) -> Round<'a> {
        Box::pin(self.look(session))
    }
}
