//! Has the settings of a running daemon looked at anew, on a thread that may wait for the disk they are on: the daemon's own
//! threads follow ZooKeeper, and a disk can stop answering. What comes of it is `Live`'s to decide, and what a daemon does
//! with its settings the daemon's.

use tokio::task::{JoinHandle, spawn_blocking};

use super::Live;
use crate::config::load::Daemon;
use crate::error::Error;
use crate::service::Service;

/// Keeps the settings of a running daemon.
pub struct Keeper<D: Daemon> {
    /// None while a thread has them.
    live: Option<Box<Live<D>>>,
    work: Option<JoinHandle<Looked<D>>>,
    /// The settings file is to be read again.
    reload: bool,
    service: Service,
}

/// Settings that were looked at.
struct Looked<D: Daemon> {
    live: Box<Live<D>>,
    /// What holds from now on, where that may be something else than before.
    config: Option<D::Config>,
    reloaded: bool,
}

impl<D> Keeper<D>
where
    D: Daemon + Send + 'static,
    D::Config: Send,
{
    /// Keeps these, and tells the service manager when they are read again.
    #[must_use]
    pub fn new(live: Live<D>, service: Service) -> Self {
        Self { live: Some(Box::new(live)), work: None, reload: false, service }
    }

    /// The settings file is to be read again: `changed` does it.
    pub fn reload(&mut self) {
        self.service.reloading();
        self.reload = true;
    }

    /// Waits until other settings may hold than before, and answers them. Dropping the future loses nothing.
    ///
    /// # Errors
    /// A defect in this program.
    pub async fn changed(&mut self) -> Result<D::Config, Error> {
        loop {
            if let Some(live) = self.live.as_mut().filter(|_| !self.reload) {
                live.changed().await;
            }
            if let Some(live) = self.live.take() {
                self.work = Some(look(live, std::mem::take(&mut self.reload)));
            }
            if let Some(config) = self.looked().await? {
                return Ok(config);
            }
        }
    }

    async fn looked(&mut self) -> Result<Option<D::Config>, Error> {
        let failed = || Error::Internal("what looks at settings has failed".to_owned());
        let looked = self.work.as_mut().ok_or_else(failed)?.await.map_err(|_| failed())?;
        self.work = None;
        self.live = Some(looked.live);
        if looked.reloaded && !self.reload {
            self.service.reloaded();
        }
        Ok(looked.config)
    }
}

fn look<D>(mut live: Box<Live<D>>, reload: bool) -> JoinHandle<Looked<D>>
where
    D: Daemon + Send + 'static,
    D::Config: Send,
{
    spawn_blocking(move || {
        let config = if reload { live.reload() } else { live.see() }.cloned();
        Looked { live, config, reloaded: reload }
    })
}
