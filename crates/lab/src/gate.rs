//! Owns how many labs with a Galera cluster run at once on this machine: more than it has cores for, and elections are
//! decided by the scheduler.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use anyhow::Result;

use crate::progress::Progress;
use crate::slot::{Base, try_lock};

/// How often a waiting lab looks for a free place.
const LOOK: Duration = Duration::from_millis(200);

/// A place among the labs that run at once; free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _lock: File,
}

impl Place {
    /// Waits for a free place: one a core, and at least two.
    pub(crate) async fn wait(base: &Base, progress: &Progress) -> Result<Self> {
        let places = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
        let mut said = false;
        loop {
            if let Some(place) = Self::find(base, places)? {
                return Ok(place);
            }
            if !said {
                progress
                    .say(format_args!("waiting: {places} labs with a cluster run on this machine already"));
                said = true;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn find(base: &Base, places: usize) -> Result<Option<Self>> {
        let directory = base.path().join("places");
        if !directory.is_dir() {
            std::fs::create_dir_all(&directory)?;
            std::fs::set_permissions(&directory, Permissions::from_mode(0o1777))?;
        }
        for number in 0..places {
            if let Some(lock) = try_lock(&directory.join(format!("{number}.lock")))? {
                return Ok(Some(Self { _lock: lock }));
            }
        }
        Ok(None)
    }
}
