//! Makes good for TLS handshakes that clients broke off. Nobody can end those in the client's place, as nobody has its
//! keys, and MariaDB counts each against this proxy's address; but a login that succeeds sets the count to zero. So
//! their connections are closed a few at a time, with a login of the monitoring account after each few.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use capitana_core::HostPort;
use capitana_core::tls::Records;
use mysql_async::Error as SqlError;
use mysql_async::prelude::Queryable;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::descriptors::{CONNECTION, Reserved};
use super::monitor::{Account, connect};
use super::relay::Observer;
use super::shared::Shared;
use super::waiting::Place;
use crate::config::ProxyProtocol;

/// Handshakes broken off between two logins, until the server has said how many it stands (`max_connect_errors`).
const FEW: usize = 4;
/// And at most.
const MANY: usize = 50;
/// Connections that may wait to be closed before new TLS handshakes wait for them: the server itself waits 10 s
/// (`connect_timeout`) for each, and has no more than `max_connections`.
const PARKED: usize = 50;
/// A server closes within milliseconds of being told that the client has.
const PATIENCE: Duration = Duration::from_secs(2);
/// Logins tried before more is closed without one: a server that is full lets one in sooner or later.
const TRIES: usize = 30;
/// `ER_ACCESS_DENIED_ERROR`: trying again does not help.
const ACCESS_DENIED: u16 = 1045;
/// Between them.
const PAUSE: Duration = Duration::from_millis(100);

/// Where sessions leave what their clients broke off.
pub struct Amends {
    inbox: mpsc::UnboundedSender<BrokenOff>,
    places: Arc<Semaphore>,
}

struct BrokenOff {
    upstream: TcpStream,
    place: Place,
    _descriptor: Reserved<CONNECTION>,
    _parked: Option<OwnedSemaphorePermit>,
}

/// The task's side of [`Amends`].
pub struct Inbox(mpsc::UnboundedReceiver<BrokenOff>);

impl Amends {
    /// Both sides.
    #[must_use]
    pub fn new() -> (Self, Inbox) {
        let (inbox, broken_off) = mpsc::unbounded_channel();
        (Self { inbox, places: Arc::new(Semaphore::new(PARKED)) }, Inbox(broken_off))
    }

    /// Leaves a connection whose client went away in the midst of its TLS handshake.
    pub fn park(&self, upstream: TcpStream, place: Place, descriptor: Reserved<CONNECTION>) {
        let parked = Arc::clone(&self.places).try_acquire_owned().ok();
        // It is taken unless the proxy has ended.
        let _ = self.inbox.send(BrokenOff { upstream, place, _descriptor: descriptor, _parked: parked });
    }

    /// Waits while too much is parked.
    pub async fn clear(&self) {
        let _ = self.places.acquire().await;
    }
}

/// Closes what comes in until the proxy ends.
pub async fn run(shared: Arc<Shared>, Inbox(mut broken_off): Inbox) {
    let mut batch = Vec::with_capacity(MANY);
    let (mut few, mut warned) = (FEW, false);
    while broken_off.recv_many(&mut batch, few).await > 0 {
        shared.metrics.broken_off.inc_by(batch.len() as u64);
        let servers: BTreeSet<HostPort> = batch.iter().map(|one| one.place.upstream().clone()).collect();
        let mut closing = JoinSet::new();
        for one in batch.drain(..) {
            closing.spawn(timeout(PATIENCE, close(one)));
        }
        closing.join_all().await;
        match shared.monitor() {
            // With a PROXY header the server counts against the client's own address.
            _ if shared.config.load().proxy_protocol != ProxyProtocol::Off => {}
            Some(account) => {
                for server in servers {
                    few = make_good(&account, &server).await;
                }
            }
            None if !warned => {
                warned = true;
                tracing::warn!(
                    "clients break off TLS handshakes; MariaDB counts them against this proxy's address and blocks it \
                     after max_connect_errors of them in a row (error 1129): set monitor-user, whose logins set the \
                     count to zero, or skip_name_resolve on the server"
                );
            }
            None => {}
        }
    }
}

/// Logs in, which sets the count to zero; how many may be broken off before the next time.
async fn make_good(account: &Account, server: &HostPort) -> usize {
    for _ in 0..TRIES {
        match timeout(PATIENCE, connect(account, server)).await {
            Ok(Ok(mut conn)) => {
                let limit = conn.query_first::<usize, _>("SELECT @@max_connect_errors");
                let limit = timeout(PATIENCE, limit).await.ok().and_then(Result::ok).flatten();
                let _ = timeout(PATIENCE, conn.disconnect()).await;
                // What is counted late of these is counted with the next.
                return limit.map_or(FEW, |most| (most / 2).clamp(2, MANY + 1) - 1);
            }
            Ok(Err(SqlError::Server(error))) if error.code == ACCESS_DENIED => break,
            Ok(Err(_)) | Err(_) => sleep(PAUSE).await,
        }
    }
    tracing::warn!(
        %server,
        "clients break off TLS handshakes, and the monitoring account cannot log in: MariaDB may block this proxy's \
         address (error 1129)"
    );
    FEW
}

/// Ends the connection and waits until the server has, and so has counted it.
async fn close(one: BrokenOff) {
    let BrokenOff { mut upstream, place, _descriptor, _parked } = one;
    // A server that has closed already has counted already.
    let _ = upstream.shutdown().await;
    let mut waste = [0; 1024];
    while matches!(upstream.read(&mut waste).await, Ok(1..)) {}
    drop(place);
}

/// Follows the records of a client under TLS.
impl Observer for Records {
    fn to_upstream(&mut self, bytes: &[u8]) {
        self.take(bytes);
    }
    fn to_client(&mut self, _: &[u8]) {}
    fn pause(&self) -> bool {
        self.is_settled()
    }
}
