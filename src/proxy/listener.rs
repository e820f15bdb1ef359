//! Accepts clients and hands each to the worker with the fewest sessions. The loop never ends by an error, never spins
//! and awaits nothing but the next connection.

use std::io;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use capitana_core::EndReason;
use capitana_core::limit::RateLimit;
use capitana_core::packet::{TOO_MANY_CONNECTIONS, error_before_greeting};
use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};

use super::admission::ClientPlaces;
use super::close::refuse;
use super::metrics::WorkerCounters;
use super::shared::Shared;
use super::worker::{Accepted, Task};
use crate::error::Error;

/// Connections the kernel queues until they are accepted; it cuts this to net.core.somaxconn.
const BACKLOG: i32 = 4096;
/// Log lines about clients turned away and pauses, a second and at once, on each listener.
const LOG_RATE: (u32, u32) = (1, 5);
/// Pause after an error that is not about one connection: descriptors or memory ran out.
const PAUSE: Duration = Duration::from_millis(50);

/// Clients of one listener that are told at once why they are turned away.
const FAREWELLS: usize = 256;

/// Binds a listener. SO_REUSEADDR lets it restart at once; an IPv6 address takes IPv6 only, so that both families can
/// be listed side by side.
///
/// # Errors
/// The address cannot be bound.
pub fn bind(address: SocketAddr) -> Result<std::net::TcpListener, Error> {
    let bound = || -> std::io::Result<std::net::TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    };
    bound().map_err(|e| Error::listen("listen", address, e))
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

/// Accepts on one listener until the proxy stops.
pub struct Acceptor {
    shared: Arc<Shared>,
    workers: Vec<WorkerHandle>,
    /// Places for connections, where there is a limit.
    places: Option<Arc<Semaphore>>,
    clients: Arc<ClientPlaces>,
    /// Places for clients that are turned away and still have to read why.
    farewells: Arc<Semaphore>,
    log: RateLimit,
}

impl Acceptor {
    /// An acceptor with the limits of the settings.
    #[must_use]
    pub fn new(shared: Arc<Shared>, workers: Vec<WorkerHandle>) -> Self {
        let config = shared.config.load_full();
        let places = config.max_connections.map(|most| Arc::new(Semaphore::new(most)));
        let clients = Arc::new(ClientPlaces::new(config.max_connections_per_client));
        let farewells = Arc::new(Semaphore::new(FAREWELLS));
        Self { shared, workers, places, clients, farewells, log: RateLimit::new(LOG_RATE.0, LOG_RATE.1) }
    }

    /// Accepts until the proxy stops.
    pub async fn run(mut self, listener: AsyncFd<std::net::TcpListener>) {
        loop {
            tokio::select! {
                () = self.shared.stop.cancelled() => return,
                accepted = listener.async_io(Interest::READABLE, accept) => match accepted {
                    Ok((stream, client)) => self.hand_over(stream, client),
                    Err(error) => self.failed(&error).await,
                },
            }
        }
    }

    fn hand_over(&mut self, stream: StdTcpStream, client: SocketAddr) {
        self.shared.metrics.accepted.inc();
        let place = match self.places.as_ref().map(|p| Arc::clone(p).try_acquire_owned()).transpose() {
            Ok(place) => place,
            Err(_) => return self.turn_away(stream, client),
        };
        let Some(worker) = self.workers.iter().min_by_key(|w| w.counters.sessions.load(Relaxed)) else {
            return;
        };
        // Counted here, so that a burst is spread before the workers have woken up.
        worker.counters.sessions.fetch_add(1, Relaxed);
        // A worker whose thread has ended takes nothing more, and the process ends for it (`threads`).
        let clients = Arc::clone(&self.clients);
        let _ = worker.inbox.send(Task::Serve(Accepted { stream, client, place, clients }));
    }

    /// Says what MariaDB itself says when it is full.
    fn turn_away(&mut self, stream: StdTcpStream, client: SocketAddr) {
        let reason = EndReason::TooManyConnections;
        self.shared.metrics.session_ended(reason);
        self.shared.metrics.rejected_listener.inc();
        match self.log.admit(self.shared.now()) {
            Some(suppressed) => {
                tracing::warn!(%client, reason = reason.label(), suppressed, "session ended");
            }
            None => self.shared.metrics.log_suppressed.inc(),
        }
        // Beyond so many at once a client is closed without a word: their descriptors are needed for sessions.
        let Ok(place) = Arc::clone(&self.farewells).try_acquire_owned() else { return };
        let Ok(stream) = TcpStream::from_std(stream) else { return };
        tokio::spawn(async move {
            refuse(stream, error_before_greeting(TOO_MANY_CONNECTIONS, "Too many connections")).await;
            drop(place);
        });
    }

    /// accept(2) names errors of the one connection that failed; the rest is about this process or machine, and asking
    /// again at once would spin.
    async fn failed(&mut self, error: &std::io::Error) {
        use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        self.shared.metrics.accept_errors.inc();
        if !matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            if let Some(suppressed) = self.log.admit(self.shared.now()) {
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
