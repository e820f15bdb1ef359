//! A worker: one thread with a runtime of its own and the sessions on it. It is the one writer of its sessions' table
//! and of its counters; what a drain asks of it is in `inspect`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{SystemTime, UNIX_EPOCH};

use capitana_core::limit::RateLimit;
use capitana_core::{EndReason, HostPort, Role};
use tokio::runtime::LocalRuntime;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::spawn_local;
use tokio_util::task::TaskTracker;

use super::admission::ClientPlaces;
use super::clock::Clock;
use super::deadlines::Deadlines;
use super::descriptors::{Reserved, SESSION};
use super::inspect::Inspection;
use super::leash::{Leash, Stale};
use super::listener::{Acceptor, Listening};
use super::metrics::WorkerCounters;
use super::registry::SessionInfo;
use super::relay::BUFFER;
use super::session::{Epilogue, log_end, serve};
use super::shared::Shared;

/// Log lines about ended sessions, a second and at once, on each worker.
const LOG_RATE: (u32, u32) = (20, 100);

/// A connection on its way from the acceptor to a worker.
pub struct Accepted {
    /// The client's connection, not registered with any runtime.
    pub stream: StdTcpStream,
    /// What its listener leads to.
    pub role: Role,
    /// The client's address.
    pub client: SocketAddr,
    /// Its place among the listener's connections, where there is a limit.
    pub place: Option<OwnedSemaphorePermit>,
    /// The listener's connections, by client.
    pub clients: Arc<ClientPlaces>,
}

/// What is asked of a worker.
pub enum Task {
    /// Accept clients.
    Listen {
        /// On this.
        listening: Listening,
        /// Where it goes whether the system lets it.
        reply: oneshot::Sender<io::Result<()>>,
    },
    /// Serve a new client, with the descriptors of its session.
    Serve(Accepted, Reserved<SESSION>),
    /// Stop the sessions that go where they should not stay, where nothing is on its way, and report.
    Inspect {
        /// Which they are.
        stale: Stale,
        /// Whether sessions at work are stopped as well, at the end of what they do.
        patiently: bool,
        /// Where the report goes.
        reply: oneshot::Sender<Inspection>,
    },
    /// End the sessions marked true if nothing has happened since, and let the others go on.
    Settle(Vec<(u64, bool)>),
    /// Say that the thread lives.
    Answer {
        /// Where that is said.
        reply: oneshot::Sender<()>,
    },
    /// List the sessions.
    List {
        /// Where the list goes.
        reply: oneshot::Sender<Vec<SessionInfo>>,
    },
    /// End one session for an operator.
    End {
        /// Its number.
        id: u64,
        /// Where it goes whether it is here.
        reply: oneshot::Sender<bool>,
    },
    /// End the open sessions that go where they should not stay, whatever they do.
    EndStale {
        /// Which they are.
        stale: Stale,
        /// Only those that go here.
        upstream: Option<HostPort>,
        /// Why.
        reason: EndReason,
    },
}

/// What the sessions of one thread share.
pub struct Worker {
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// What this worker counts.
    pub counters: Arc<WorkerCounters>,
    /// When clients on their way in have to have come further.
    pub deadlines: Rc<Deadlines>,
    /// The thread's one read buffer.
    pub buffer: RefCell<Box<[u8]>>,
    /// By number. The numbers are the proxy's own, so that nobody can choose them to collide.
    sessions: RefCell<HashMap<u64, Rc<Leash>, foldhash::fast::FixedState>>,
    log: RefCell<RateLimit>,
    tasks: TaskTracker,
}

/// Runs a worker until no more connections can come and its sessions have ended. It is a thread's whole life.
pub fn run(
    runtime: &LocalRuntime,
    shared: Arc<Shared>,
    (counters, clock): (Arc<WorkerCounters>, Clock),
    inbox: mpsc::UnboundedReceiver<Task>,
) {
    let worker = Rc::new(Worker {
        shared,
        counters,
        deadlines: Rc::new(Deadlines::new(clock)),
        buffer: RefCell::new(vec![0; BUFFER].into_boxed_slice()),
        sessions: RefCell::default(),
        log: RefCell::new(RateLimit::new(LOG_RATE.0, LOG_RATE.1)),
        tasks: TaskTracker::new(),
    });
    runtime.block_on(worker.run(inbox));
}

impl Worker {
    async fn run(self: Rc<Self>, mut inbox: mpsc::UnboundedReceiver<Task>) {
        let deadlines = Rc::clone(&self.deadlines);
        drop(spawn_local(async move { deadlines.run().await }));
        let kill = self.shared.kill.clone();
        let (mut killed, mut open) = (false, true);
        while open {
            tokio::select! {
                task = inbox.recv() => match task {
                    Some(task) => self.carry_out(task),
                    None => open = false,
                },
                () = kill.cancelled(), if !killed => { killed = true; self.end_all(); }
            }
        }
        self.tasks.close();
        while !self.tasks.is_empty() {
            tokio::select! {
                () = self.tasks.wait() => {}
                () = kill.cancelled(), if !killed => { killed = true; self.end_all(); }
            }
        }
    }

    fn carry_out(self: &Rc<Self>, task: Task) {
        match task {
            // Who waits for it gives the start up if it has gone.
            Task::Listen { listening, reply } => drop(reply.send(self.listen(listening))),
            Task::Serve(accepted, descriptors) => Rc::clone(self).start(accepted, descriptors),
            Task::Inspect { stale, patiently, reply } => {
                let worker = Rc::clone(self);
                self.tasks.spawn_local(async move {
                    // Nobody waits for the report if the drain was given up.
                    let _ = reply.send(worker.inspect(&stale, patiently).await);
                });
            }
            // Who asked may have gone meanwhile.
            Task::Answer { reply } => drop(reply.send(())),
            Task::List { reply } => drop(reply.send(self.list())),
            Task::End { id, reply } => drop(reply.send(self.end_for_operator(id))),
            Task::Settle(verdicts) => self.settle(&verdicts),
            Task::EndStale { stale, upstream, reason } => self.end_stale(&stale, upstream.as_ref(), reason),
        }
    }

    /// The acceptor ends with `stop`, and keeps the thread from nothing.
    fn listen(self: &Rc<Self>, listening: Listening) -> io::Result<()> {
        let accepting = spawn_local(Acceptor::new(Rc::clone(self), listening)?.run());
        let stop = self.shared.stop.clone();
        // Waiting for both in one task would look for the stop at every client.
        drop(spawn_local(async move {
            stop.cancelled().await;
            accepting.abort();
        }));
        Ok(())
    }

    /// Serves a client, which is among this worker's sessions already.
    pub fn start(self: Rc<Self>, accepted: Accepted, descriptors: Reserved<SESSION>) {
        let number = self.shared.next_session.fetch_add(1, Relaxed);
        let leash = Rc::new(Leash::new(number, accepted.role, accepted.client, unix_ms()));
        if self.shared.kill.is_cancelled() {
            leash.end(EndReason::Shutdown);
        }
        let tasks = self.tasks.clone();
        tasks.spawn_local(serve(Entry::new(self, leash, descriptors), accepted));
    }

    /// Tells of a session's end.
    pub fn ended(&self, leash: &Leash, epilogue: &Epilogue) {
        self.shared.metrics.of(leash.role).ended(epilogue.reason);
        leash.primary_route().inspect(|route| self.shared.milestones.ended(route.epoch, epilogue.reason));
        match self.log.borrow_mut().admit(self.shared.now()) {
            Some(suppressed) => {
                if suppressed > 0 {
                    tracing::info!(suppressed, "lines about ended sessions were held back");
                }
                log_end(leash, epilogue);
            }
            None => self.shared.metrics.log_suppressed.inc(),
        }
    }

    /// Runs something to its end beside the session it is for.
    pub fn finish(&self, steps: impl Future<Output = ()> + 'static) {
        self.tasks.spawn_local(steps);
    }

    /// Runs the last steps of a connection, which may outlive the session it comes from.
    pub fn linger(&self, last_steps: impl Future<Output = ()> + 'static) {
        let descriptor = self.shared.descriptors.for_connection();
        self.tasks.spawn_local(async move {
            last_steps.await;
            drop(descriptor);
        });
    }

    /// The sessions that go where they should not stay, in whatever phase.
    pub fn stale(&self, stale: &Stale) -> Vec<Rc<Leash>> {
        self.sessions.borrow().values().filter(|leash| leash.is_stale(stale)).cloned().collect()
    }

    /// All its sessions, in no order.
    pub fn leashes(&self) -> Vec<Rc<Leash>> {
        self.sessions.borrow().values().cloned().collect()
    }

    /// The session of this number, if it has not ended.
    pub fn session(&self, id: u64) -> Option<Rc<Leash>> {
        self.sessions.borrow().get(&id).cloned()
    }

    fn end_all(&self) {
        for leash in self.sessions.borrow().values() {
            leash.end(EndReason::Shutdown);
        }
    }
}

/// A session's place in its worker's table and counts, for as long as its task lives, however that ends.
pub struct Entry {
    /// The worker.
    pub worker: Rc<Worker>,
    /// The session's leash.
    pub leash: Rc<Leash>,
    _descriptors: Reserved<SESSION>,
}

impl Entry {
    fn new(worker: Rc<Worker>, leash: Rc<Leash>, descriptors: Reserved<SESSION>) -> Self {
        worker.sessions.borrow_mut().insert(leash.id, Rc::clone(&leash));
        worker.shared.metrics.of(leash.role).sessions.inc();
        Self { worker, leash, _descriptors: descriptors }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.worker.sessions.borrow_mut().remove(&self.leash.id);
        self.worker.shared.metrics.of(self.leash.role).sessions.dec();
        self.worker.counters.sessions.fetch_sub(1, Relaxed);
    }
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}
