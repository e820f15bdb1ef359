//! A worker: one thread with a runtime of its own and the sessions on it. It is the one writer of its sessions' table
//! and of its counters; it ends sessions of older epochs when the route changes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use capitana_core::limit::RateLimit;
use capitana_core::{EndReason, Epoch};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::LocalSet;
use tokio_util::task::TaskTracker;

use super::leash::{Leash, Phase};
use super::metrics::WorkerCounters;
use super::relay::BUFFER;
use super::route::RouteState;
use super::session::{Epilogue, log_end, serve};
use super::shared::Shared;

/// Log lines about ended sessions, a second and at once, on each worker.
const LOG_RATE: (u32, u32) = (20, 100);

/// A connection on its way from the acceptor to a worker.
pub struct Accepted {
    /// The client's connection, not registered with any runtime.
    pub stream: StdTcpStream,
    /// The client's address.
    pub client: SocketAddr,
    /// Its place among the listener's connections, where there is a limit.
    pub place: Option<OwnedSemaphorePermit>,
}

/// What the sessions of one thread share.
pub struct Worker {
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// What this worker counts.
    pub counters: Arc<WorkerCounters>,
    /// The thread's one read buffer.
    pub buffer: RefCell<Box<[u8]>>,
    sessions: RefCell<HashMap<u64, Rc<Leash>>>,
    log: RefCell<RateLimit>,
    tasks: TaskTracker,
}

/// Runs a worker until no more connections can come and its sessions have ended. It is a thread's whole life.
pub fn run(
    runtime: &Runtime,
    shared: Arc<Shared>,
    counters: Arc<WorkerCounters>,
    accepted: mpsc::UnboundedReceiver<Accepted>,
) {
    let worker = Rc::new(Worker {
        shared,
        counters,
        buffer: RefCell::new(vec![0; BUFFER].into_boxed_slice()),
        sessions: RefCell::default(),
        log: RefCell::new(RateLimit::new(LOG_RATE.0, LOG_RATE.1)),
        tasks: TaskTracker::new(),
    });
    LocalSet::new().block_on(runtime, worker.run(accepted));
}

impl Worker {
    async fn run(self: Rc<Self>, mut accepted: mpsc::UnboundedReceiver<Accepted>) {
        let mut bell = self.shared.routes.subscribe();
        let kill = self.shared.kill.clone();
        let mut killed = false;
        let mut accepting = true;
        while accepting {
            tokio::select! {
                next = accepted.recv() => match next {
                    Some(next) => Rc::clone(&self).start(next),
                    None => accepting = false,
                },
                _ = bell.changed() => self.end_old_epochs(),
                () = kill.cancelled(), if !killed => { killed = true; self.end_all(); }
            }
        }
        self.tasks.close();
        while !self.tasks.is_empty() {
            tokio::select! {
                () = self.tasks.wait() => {}
                _ = bell.changed() => self.end_old_epochs(),
                () = kill.cancelled(), if !killed => { killed = true; self.end_all(); }
            }
        }
    }

    fn start(self: Rc<Self>, accepted: Accepted) {
        let Accepted { stream, client, place } = accepted;
        let leash = Rc::new(Leash::new(self.shared.next_session.fetch_add(1, Relaxed), client));
        if self.shared.kill.is_cancelled() {
            leash.end(EndReason::Shutdown);
        }
        let entry = Entry::new(Rc::clone(&self), Rc::clone(&leash));
        let tasks = self.tasks.clone();
        tasks.spawn_local(async move {
            let _place = place;
            let _entry = entry;
            let started = Instant::now();
            match TcpStream::from_std(stream) {
                Ok(stream) => {
                    let epilogue = serve(Rc::clone(&self), Rc::clone(&leash), stream).await;
                    self.ended(&leash, &epilogue, started);
                }
                Err(error) => tracing::error!(%error, "a connection cannot be registered"),
            }
        });
    }

    fn ended(&self, leash: &Leash, epilogue: &Epilogue, started: Instant) {
        self.shared.metrics.session_ended(epilogue.reason);
        match self.log.borrow_mut().admit(self.shared.now()) {
            Some(suppressed) => {
                if suppressed > 0 {
                    tracing::info!(suppressed, "lines about ended sessions were held back");
                }
                log_end(leash, epilogue, started.elapsed());
            }
            None => self.shared.metrics.log_suppressed.inc(),
        }
    }

    /// Runs the last steps of a connection beside the session they come from, which is over.
    pub fn finish(&self, last_steps: impl Future<Output = ()> + 'static) {
        self.tasks.spawn_local(last_steps);
    }

    /// Ends the session if its epoch ended while it was not open yet.
    pub fn recheck(&self, leash: &Leash) {
        if let RouteState::Open(route) = &**self.shared.routes.load() {
            end_if_older(leash, route.epoch);
        }
    }

    /// A handshake is left to finish: the session ends right after it, and its client's connect succeeds.
    fn end_old_epochs(&self) {
        if let RouteState::Open(route) = &**self.shared.routes.load() {
            for leash in self.sessions.borrow().values() {
                end_if_older(leash, route.epoch);
            }
        }
    }

    fn end_all(&self) {
        for leash in self.sessions.borrow().values() {
            leash.end(EndReason::Shutdown);
        }
    }
}

/// A session's place in its worker's table and counts, for as long as its task lives, however that ends.
struct Entry {
    worker: Rc<Worker>,
    id: u64,
}

impl Entry {
    fn new(worker: Rc<Worker>, leash: Rc<Leash>) -> Self {
        let id = leash.id;
        worker.sessions.borrow_mut().insert(id, leash);
        worker.shared.metrics.sessions.inc();
        Self { worker, id }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.worker.sessions.borrow_mut().remove(&self.id);
        self.worker.shared.metrics.sessions.dec();
        self.worker.counters.sessions.fetch_sub(1, Relaxed);
    }
}

fn end_if_older(leash: &Leash, current: Epoch) {
    if matches!(leash.phase(), Phase::Open(epoch) if epoch < current) {
        leash.end(EndReason::EpochEnded);
    }
}
