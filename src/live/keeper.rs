//! Has the settings of a running daemon looked at anew, on a thread that may wait for the disk they are on: the daemon's own
//! threads follow ZooKeeper, and a disk can stop answering. What comes of it is `Live`'s to decide.

use tokio::task::{JoinHandle, spawn_blocking};

use super::Live;
use crate::config::load::Daemon;
use crate::error::Error;
use crate::service::Service;

/// Keeps the settings of a running daemon.
pub struct Keeper<D: Daemon> {
    /// None while a thread has them.
    live: Option<Box<Live<D>>>,
    work: Option<JoinHandle<(Box<Live<D>>, Look)>>,
    /// The settings file is to be read again.
    reload: bool,
    service: Service,
}

/// At what is looked.
enum Look {
    File,
    ZooKeeper,
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

    /// The settings file is to be read again: `keep` does it.
    pub fn reload(&mut self) {
        self.service.reloading();
        self.reload = true;
    }

    /// Has them looked at whenever they may have changed, until that fails: a defect in this program. Dropping the future
    /// loses nothing.
    pub async fn keep(&mut self) -> Error {
        loop {
            if let Some(live) = self.live.as_mut().filter(|_| !self.reload) {
                live.changed().await;
            }
            if let Some(live) = self.live.take() {
                let at = if std::mem::take(&mut self.reload) { Look::File } else { Look::ZooKeeper };
                self.work = Some(look(live, at));
            }
            if let Err(error) = self.looked().await {
                return error;
            }
        }
    }

    async fn looked(&mut self) -> Result<(), Error> {
        let failed = || Error::Internal("what looks at settings has failed".to_owned());
        let (live, at) = self.work.as_mut().ok_or_else(failed)?.await.map_err(|_| failed())?;
        self.work = None;
        self.live = Some(live);
        if matches!(at, Look::File) && !self.reload {
            self.service.reloaded();
        }
        Ok(())
    }
}

fn look<D>(mut live: Box<Live<D>>, at: Look) -> JoinHandle<(Box<Live<D>>, Look)>
where
    D: Daemon + Send + 'static,
    D::Config: Send,
{
    spawn_blocking(move || {
        match at {
            Look::File => drop(live.reload()),
            Look::ZooKeeper => live.see(),
        }
        (live, at)
    })
}
