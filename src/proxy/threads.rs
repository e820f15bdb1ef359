//! Starts the proxy's threads and tells when one ends. Everything that can be refused by the system is asked for before
//! the first of them runs, so that a proxy that has started is whole. What the threads do is in `worker`.

use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::thread;

use capitana_core::Role;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime, Runtime};
use tokio::sync::{mpsc, oneshot};

use super::clock::clock;
use super::listener::{Limits, Listening, WorkerHandle};
use super::metrics::WorkerCounters;
use super::shared::Shared;
use super::worker::{self, Task};
use crate::error::Error;

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

    /// Starts a worker for each of these counters. The runtime that this is called in keeps their clocks.
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
            let (clock, keeper) = clock();
            tokio::spawn(keeper.run());
            let (built, is_built) = std::sync::mpsc::channel();
            self.spawn("relay", index, move || match local() {
                Ok(runtime) => {
                    // Nobody listens only if the proxy has given up its start.
                    let _ = built.send(Ok(()));
                    worker::run(&runtime, shared, (counters, clock), accepted);
                }
                Err(error) => drop(built.send(Err(error))),
            })?;
            is_built.recv().map_err(|_| Error::Internal("a relay thread did not start".to_owned()))??;
        }
        Ok(workers)
    }

    /// Gives each worker its listeners.
    ///
    /// # Errors
    /// The system refuses to watch one.
    pub async fn accept(
        &self,
        listeners: Vec<(Role, Vec<StdListener>)>,
        limits: impl Fn(Role) -> Arc<Limits>,
        workers: &[WorkerHandle],
    ) -> Result<(), Error> {
        for (role, of_one_address) in listeners {
            let limits = limits(role);
            for (listener, worker) in of_one_address.into_iter().zip(workers) {
                let (reply, watched) = oneshot::channel();
                let listening =
                    Listening { listener, limits: Arc::clone(&limits), workers: workers.to_vec() };
                // One whose thread has ended drops the order, which is an answer as well.
                let _ = worker.inbox.send(Task::Listen { listening, reply });
                let watched = watched.await.unwrap_or_else(|_| Err(io::Error::other("its thread has ended")));
                watched.map_err(|error| system("cannot watch a listener", error))?;
            }
        }
        Ok(())
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
