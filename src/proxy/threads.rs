//! Starts the proxy's threads and tells when one ends. Everything that can be refused by the system is asked for before
//! the first of them runs, so that a proxy that has started is whole. What the threads do is in `worker` and `listener`.

use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, LocalOptions, LocalRuntime, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::listener::{Acceptor, WorkerHandle};
use super::metrics::WorkerCounters;
use super::shared::Shared;
use super::worker;
use crate::error::Error;
use crate::sys;

/// The running threads.
pub struct Threads {
    ended: mpsc::UnboundedReceiver<&'static str>,
    watched: mpsc::UnboundedSender<&'static str>,
}

impl Threads {
    /// None runs yet.
    #[must_use]
    pub fn new() -> Self {
        let (watched, ended) = mpsc::unbounded_channel();
        Self { ended, watched }
    }

    /// Starts a worker for each of these counters.
    ///
    /// # Errors
    /// The system refuses a runtime or a thread.
    pub fn start_workers(
        &self,
        shared: &Arc<Shared>,
        counters: Vec<Arc<WorkerCounters>>,
    ) -> Result<Vec<WorkerHandle>, Error> {
        let mut workers = Vec::new();
        for (index, counters) in counters.into_iter().enumerate() {
            let (inbox, accepted) = mpsc::unbounded_channel();
            workers.push(WorkerHandle { counters: Arc::clone(&counters), inbox });
            let shared = Arc::clone(shared);
            let (built, is_built) = std::sync::mpsc::channel();
            self.spawn("relay", index, move || match local() {
                Ok(runtime) => {
                    // Nobody listens only if the proxy has given up its start.
                    let _ = built.send(Ok(()));
                    worker::run(&runtime, shared, counters, accepted);
                }
                Err(error) => drop(built.send(Err(error))),
            })?;
            is_built.recv().map_err(|_| Error::Internal("a relay thread did not start".to_owned()))??;
        }
        Ok(workers)
    }

    /// Starts the one thread that accepts on every listener: accepting is little work, and the control thread must not
    /// wait for it.
    ///
    /// # Errors
    /// The system refuses a runtime or a thread, or to watch a listener.
    pub fn start_acceptors(
        &self,
        shared: &Arc<Shared>,
        listeners: Vec<StdListener>,
        workers: &[WorkerHandle],
    ) -> Result<(), Error> {
        let runtime = current_thread()?;
        let mut acceptors = Vec::new();
        for listener in listeners {
            let _context = runtime.enter();
            let listener = sys::watch_listener(listener).map_err(|e| system("cannot watch a listener", e))?;
            acceptors.push((Acceptor::new(Arc::clone(shared), workers.to_vec()), listener));
        }
        self.spawn("accept", 0, move || {
            runtime.block_on(async {
                let accepting = acceptors.into_iter().map(|(acceptor, listener)| acceptor.run(listener));
                accepting.collect::<JoinSet<_>>().join_all().await;
            });
        })
    }

    /// Waits for the end of a thread, which nobody expects before the proxy stops. Answers what it did.
    pub async fn first_ended(&mut self) -> &'static str {
        // This holds a sender itself, so there is always one.
        self.ended.recv().await.unwrap_or("none")
    }

    /// Waits until every thread has ended.
    pub async fn all_ended(&mut self) {
        let (unused, _) = mpsc::unbounded_channel();
        drop(std::mem::replace(&mut self.watched, unused));
        while self.ended.recv().await.is_some() {}
    }

    fn spawn(
        &self,
        role: &'static str,
        index: usize,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<(), Error> {
        let end = End { role, ended: self.watched.clone() };
        let named = thread::Builder::new().name(format!("{role}-{index}"));
        let spawned = named.spawn(move || {
            let _end = end;
            body();
        });
        spawned.map(drop).map_err(|e| system("cannot start a thread", e))
    }
}

/// Tells that its thread has ended, also by a panic.
struct End {
    role: &'static str,
    ended: mpsc::UnboundedSender<&'static str>,
}

impl Drop for End {
    fn drop(&mut self) {
        // Nobody listens once the process ends.
        let _ = self.ended.send(self.role);
    }
}

/// A runtime for tasks that stay on the thread that builds it.
fn local() -> Result<LocalRuntime, Error> {
    let built = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    built.map_err(|e| system("cannot start a runtime", e))
}

/// A runtime for one thread.
///
/// # Errors
/// The system refuses it.
pub fn current_thread() -> Result<Runtime, Error> {
    Builder::new_current_thread().enable_all().build().map_err(|e| system("cannot start a runtime", e))
}

/// The system's refusal of something ordinary.
pub fn system(doing: &'static str, source: io::Error) -> Error {
    Error::System { doing, source }
}
