//! The admin endpoint of every daemon: `/metrics`, `/healthz`, `/readyz`, `/status` over HTTP/1.1, and what one kind
//! of daemon has beside them. It owns the listener and the connections; what is said comes from an `AdminView` and a
//! metrics registry.

mod caller;
pub mod client;
pub mod exchange;
mod probes;
mod routes;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use capitana_core::limit::RateLimit;
use capitana_core::services::list::Services;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use caller::Caller;

/// Connections served at once; scrapers and people need a handful, the rest waits in the kernel's queue.
const MAX_CONNECTIONS: usize = 64;
/// How long a client may take to send its request's head; a client that says nothing gives its place back.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a whole connection may last, so that a reader that stops does not keep its place.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after an accept error that is not about one connection, such as running out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a daemon tells on its admin endpoint.
pub trait AdminView: Send + Sync + 'static {
    /// Whether the daemon does its work; the error says why not.
    ///
    /// # Errors
    /// The reason in words.
    fn ready(&self) -> Result<(), String>;

    /// The daemon's state for `/status`.
    fn status(&self) -> serde_json::Value;

    /// Every setting that holds and where it comes from, for `/config`.
    fn settings(&self) -> String;

    /// The client sessions for `/sessions`. None: this daemon has none, or not now.
    fn sessions(&self) -> Option<Answer<serde_json::Value>> {
        None
    }

    /// Ends a client session; false: there is none of this number. None: as for `sessions`.
    fn end_session(&self, _id: u64) -> Option<Answer<bool>> {
        None
    }

    /// The running processes as they stand in ZooKeeper, for `/sd`, or why that cannot be said. None: this daemon does not
    /// know ZooKeeper.
    fn services(&self) -> Option<Answer<Result<Arc<Services>, String>>> {
        None
    }

    /// What a load balancer asks; the error is why not. None: this daemon has no server to speak of.
    fn probe(&self, _probe: Probe) -> Option<Result<String, String>> {
        None
    }

    /// Carries out what somebody on this host, who is described by `by`, asks for. None: this daemon takes no orders.
    fn carry_out(&self, _order: Order, _by: String) -> Option<Answer<Ordered>> {
        None
    }

    /// What the daemon answers beside the paths that all have, a line for each.
    fn more_help(&self) -> &'static str {
        ""
    }
}

/// What a load balancer wants to know of the daemon's server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Whether it may be used at all, as clustercheck answers it.
    Fit,
    /// Whether it is the primary at this moment.
    Primary,
    /// Whether it may be used and is not the primary.
    Replica,
}

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Leave the election, and stay out.
    StepDown,
    /// Be a candidate again.
    Rejoin,
}

/// What became of an order.
pub struct Ordered {
    /// Whether it has taken effect; false: it will.
    pub done: bool,
    /// For the one who asked.
    pub answer: serde_json::Value,
}

/// What is answered once others have been asked.
pub type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The admin endpoint's address, bound.
pub struct AdminServer {
    listener: TcpListener,
    registry: Registry,
    view: Arc<dyn AdminView>,
}

impl AdminServer {
    /// Binds the address.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn bind(
        address: SocketAddr,
        registry: Registry,
        view: Arc<dyn AdminView>,
    ) -> Result<Self, Error> {
        let listener =
            TcpListener::bind(address).await.map_err(|e| Error::listen("admin-listen", address, e))?;
        Ok(Self { listener, registry, view })
    }

    /// Serves until `stop`.
    pub async fn serve(self, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let (mut log, started) = (RateLimit::new(1, 3), Instant::now());
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        let caller = Caller::of(&stream, peer);
                        let connection = connection(stream, caller, self.registry.clone(), Arc::clone(&self.view));
                        tokio::spawn(async move {
                            let _place = place;
                            // A connection that outlives its time is dropped; nobody is owed an answer.
                            let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
                        });
                    }
                    Err(error) => {
                        if let Some(suppressed) = log.admit(started.elapsed()) {
                            tracing::warn!(%error, suppressed, "admin endpoint: accept failed");
                        }
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }
}

async fn connection(stream: TcpStream, caller: Caller, registry: Registry, view: Arc<dyn AdminView>) {
    let service = service_fn(move |request| {
        let (registry, view) = (registry.clone(), Arc::clone(&view));
        async move { Ok::<_, Infallible>(routes::answer(&request, caller, &registry, view.as_ref()).await) }
    });
    // One request a connection: whoever keeps connections open keeps nobody else out.
    let served = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "admin endpoint: a client's connection failed");
    }
}
