//! Files are read and written off the threads that must not wait. A disk can stop answering, and a thread that waits for it
//! waits with everything else that it does: heartbeats to ZooKeeper, fencing, routes. What is read and written is its
//! users'.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long a disk may take where nothing presses.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Where files are. One thing at a time is done there, so that a disk that hangs holds one thread, however often it is
/// tried. Clones take turns with each other.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Semaphore>);

impl Default for Disk {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Disk {
    /// Has `work` done, and waits for `limit` at most.
    ///
    /// # Errors
    /// That of the work, or `TimedOut`: then it was not begun, or it goes on and may still be done.
    pub async fn within<T, W>(&self, limit: Duration, work: W) -> io::Result<T>
    where
        T: Send + 'static,
        W: FnOnce() -> io::Result<T> + Send + 'static,
    {
        let turn = Arc::clone(&self.0);
        let done = async {
            let turn = turn.acquire_owned().await.map_err(io::Error::other)?;
            let work = spawn_blocking(move || {
                let _turn = turn;
                work()
            });
            work.await.map_err(io::Error::other)?
        };
        let hangs =
            |_| io::Error::new(io::ErrorKind::TimedOut, format!("no answer from the disk in {limit:?}"));
        timeout(limit, done).await.unwrap_or_else(|elapsed| Err(hangs(elapsed)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_disk_that_hangs_is_not_waited_for_and_holds_one_thread() {
        let (disk, (answer, hangs)) = (Disk::default(), mpsc::channel::<()>());
        let hanging = disk.within(SOON, move || hangs.recv().map_err(io::Error::other)).await;
        assert_eq!(hanging.unwrap_err().kind(), io::ErrorKind::TimedOut);
        for _ in 0..100 {
            let behind = disk.clone().within(Duration::from_millis(1), || Ok(())).await;
            assert_eq!(behind.unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
        answer.send(()).unwrap();
        disk.within(PATIENCE, || Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error_and_the_next_gets_its_turn() {
        let disk = Disk::default();
        let panics: io::Result<()> = disk.within(PATIENCE, || panic!("as the test says")).await;
        assert!(panics.is_err());
        assert_eq!(disk.within(PATIENCE, || Ok(7)).await.unwrap(), 7);
    }
}
