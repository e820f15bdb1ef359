//! Accepts clients: each worker has a listener of its own for every address, and keeps the client unless another worker
//! has clearly fewer sessions. The loop never ends by an error, never spins, and accepts nobody for whom there are no
//! descriptors.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream as StdTcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use capitana_core::limit::RateLimit;
use capitana_core::packet::{TOO_MANY_CONNECTIONS, error_before_greeting};
use capitana_core::{EndReason, Role};
use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::yield_now;

use super::admission::ClientPlaces;
use super::close::refuse;
use super::descriptors::{Reserved, SESSION};
use super::dial::tune;
use super::metrics::WorkerCounters;
use super::shared::Shared;
use super::worker::{Accepted, Task, Worker};
use crate::config::ProxyConfig;
use crate::error::Error;
use crate::sys;

/// Connections the kernel queues until they are accepted; it cuts this to net.core.somaxconn.
const BACKLOG: i32 = 4096;
/// Log lines about clients turned away and pauses, a second and at once, on each listener of each worker.
const LOG_RATE: (u32, u32) = (1, 5);
/// Pause after an error that is not about one connection: memory ran out, or another process took what was kept.
const PAUSE: Duration = Duration::from_millis(50);
/// Clients of one address that are told at once why they are turned away.
const FAREWELLS: usize = 256;
/// Clients accepted in a row before the sessions of the thread have their turn.
const TURN: usize = 16;

/// Binds a listener for each of so many workers to one address. SO_REUSEPORT has the kernel choose among them; it would
/// also let a second proxy take half of the clients unnoticed, so that the address is bound once without it first.
/// SO_REUSEADDR lets a proxy restart at once; an IPv6 address takes IPv6 only, so that both families can be listed side
/// by side.
///
/// # Errors
/// The address cannot be bound.
pub fn bind(
    (role, address): (Role, SocketAddr),
    workers: usize,
    stall_timeout: Option<Duration>,
) -> Result<(Role, Vec<StdListener>), Error> {
    let bound = || -> io::Result<Vec<StdListener>> {
        let alone = socket(address, false)?;
        let port = alone.local_addr()?.as_socket().map_or(address.port(), |bound| bound.port());
        drop(alone);
        let address = SocketAddr::new(address.ip(), port);
        (0..workers).map(|_| listen(socket(address, true)?, stall_timeout)).collect()
    };
    let setting = match role {
        Role::Primary => "listen",
        Role::Replica => "replica-listen",
    };
    bound().map(|listeners| (role, listeners)).map_err(|error| Error::listen(setting, address, error))
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

fn listen(socket: Socket, stall_timeout: Option<Duration>) -> io::Result<StdListener> {
    tune(&SockRef::from(&socket), stall_timeout)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Accepts one connection, which is registered with no runtime: that is its worker's.
fn accept(listener: &std::net::TcpListener) -> io::Result<(StdTcpStream, SocketAddr)> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (stream, client) = acceptfrom_with(listener, flags)?;
    let client = client.and_then(|client| client.try_into().ok());
    let client = client.ok_or_else(|| io::Error::other("a connection from no address of the internet"))?;
    Ok((stream.into(), client))
}

/// A worker as the acceptor knows it.
#[derive(Clone)]
pub struct WorkerHandle {
    /// Its counters, of which the number of sessions matters here.
    pub counters: Arc<WorkerCounters>,
    /// The way to it.
    pub inbox: mpsc::UnboundedSender<Task>,
}

/// What all listeners of one address have in common.
pub struct Limits {
    /// What they lead to.
    role: Role,
    /// Places for connections, where there is a limit.
    places: Option<Arc<Semaphore>>,
    clients: Arc<ClientPlaces>,
    /// Places for clients that are turned away and still have to read why.
    farewells: Arc<Semaphore>,
}

impl Limits {
    /// Those of the settings.
    #[must_use]
    pub fn new(role: Role, config: &ProxyConfig) -> Arc<Self> {
        Arc::new(Self {
            role,
            places: config.max_connections.map(|most| Arc::new(Semaphore::new(most))),
            clients: Arc::new(ClientPlaces::new(config.max_connections_per_client)),
            farewells: Arc::new(Semaphore::new(FAREWELLS)),
        })
    }
}

/// A listener on its way to the worker it is for.
pub struct Listening {
    /// The listener, not registered with any runtime.
    pub listener: StdListener,
    /// What all listeners of its address have in common.
    pub limits: Arc<Limits>,
    /// All workers, this one among them.
    pub workers: Vec<WorkerHandle>,
}

/// Accepts on one listener, on its worker's thread, until the proxy stops.
pub struct Acceptor {
    worker: Rc<Worker>,
    listener: AsyncFd<StdListener>,
    limits: Arc<Limits>,
    workers: Vec<WorkerHandle>,
    log: RateLimit,
}

impl Acceptor {
    /// An acceptor of this worker's.
    ///
    /// # Errors
    /// The system refused to watch the listener.
    pub fn new(worker: Rc<Worker>, Listening { listener, limits, workers }: Listening) -> io::Result<Self> {
        let listener = sys::watch_listener(listener)?;
        Ok(Self { worker, listener, limits, workers, log: RateLimit::new(LOG_RATE.0, LOG_RATE.1) })
    }

    /// Accepts until its task is aborted.
    pub async fn run(mut self) {
        let mut in_a_row = 0;
        loop {
            match self.next().await {
                Ok((stream, client, descriptors)) => self.admit(stream, client, descriptors),
                Err(error) => self.failed(&error).await,
            }
            in_a_row += 1;
            if in_a_row == TURN {
                in_a_row = 0;
                yield_now().await;
            }
        }
    }

    /// The next client, once there are descriptors for it.
    async fn next(&mut self) -> io::Result<(StdTcpStream, SocketAddr, Reserved<SESSION>)> {
        let Self { worker, listener, log, .. } = self;
        loop {
            let mut ready = poll_fn(|cx| listener.poll_read_ready(cx)).await?;
            let descriptors = match worker.shared.descriptors.try_for_session() {
                Some(descriptors) => descriptors,
                None => wait_for_descriptors(&worker.shared, log).await,
            };
            if let Ok(accepted) = ready.try_io(|listener| accept(listener.get_ref())) {
                return accepted.map(|(stream, client)| (stream, client, descriptors));
            }
        }
    }

    fn admit(&mut self, stream: StdTcpStream, client: SocketAddr, descriptors: Reserved<SESSION>) {
        self.worker.shared.metrics.of(self.limits.role).accepted.inc();
        let place = match self.limits.places.as_ref().map(|p| Arc::clone(p).try_acquire_owned()).transpose() {
            Ok(place) => place,
            Err(_) => return self.turn_away(stream, client, descriptors),
        };
        let clients = Arc::clone(&self.limits.clients);
        let accepted = Accepted { stream, role: self.limits.role, client, place, clients };
        let own = &self.worker.counters.sessions;
        let least = self.workers.iter().map(|worker| (worker, worker.counters.sessions.load(Relaxed)));
        match least.min_by_key(|(_, sessions)| *sessions) {
            Some((other, sessions)) if !keeps(own.load(Relaxed), sessions) => {
                // Counted here, so that a burst is spread before the worker has woken up.
                other.counters.sessions.fetch_add(1, Relaxed);
                // A worker whose thread has ended takes nothing more, and the process ends for it (`threads`).
                let _ = other.inbox.send(Task::Serve(accepted, descriptors));
            }
            _ => {
                own.fetch_add(1, Relaxed);
                Rc::clone(&self.worker).start(accepted, descriptors);
            }
        }
    }

    /// Says what MariaDB itself says when it is full.
    fn turn_away(&mut self, stream: StdTcpStream, client: SocketAddr, descriptors: Reserved<SESSION>) {
        let reason = EndReason::TooManyConnections;
        let shared = &self.worker.shared;
        shared.metrics.of(self.limits.role).ended(reason);
        shared.metrics.rejected_listener.inc();
        match self.log.admit(shared.now()) {
            Some(suppressed) => {
                let role = self.limits.role.label();
                tracing::warn!(%client, role, reason = reason.label(), suppressed, "session ended");
            }
            None => shared.metrics.log_suppressed.inc(),
        }
        // Beyond so many at once a client is closed without a word: their descriptors are needed for sessions.
        let Ok(place) = Arc::clone(&self.limits.farewells).try_acquire_owned() else { return };
        let Ok(stream) = TcpStream::from_std(stream) else { return };
        self.worker.finish(async move {
            refuse(stream, error_before_greeting(TOO_MANY_CONNECTIONS, "Too many connections")).await;
            drop((place, descriptors));
        });
    }

    /// accept(2) names errors of the one connection that failed; the rest is about this process or machine, and asking
    /// again at once would spin.
    async fn failed(&mut self, error: &io::Error) {
        use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        let shared = &self.worker.shared;
        shared.metrics.accept_errors.inc();
        if !matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            if let Some(suppressed) = self.log.admit(shared.now()) {
                tracing::warn!(
                    %error,
                    suppressed,
                    "cannot accept connections for the moment; the listen queue holds them"
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn wait_for_descriptors(shared: &Shared, log: &mut RateLimit) -> Reserved<SESSION> {
    if let Some(suppressed) = log.admit(shared.now()) {
        tracing::warn!(
            suppressed,
            "there are as many sessions as descriptors allow; the listen queue holds the next clients until one ends \
             (LimitNOFILE= in systemd)"
        );
    }
    shared.descriptors.for_session().await
}

/// Whether a worker keeps a client that the kernel gave it. Handing over wakes another thread, so that small differences
/// stay; with few sessions, each of which may be half of the load, none of two does.
fn keeps(own: u64, least: u64) -> bool {
    own <= least + 1 + least / 8
}
