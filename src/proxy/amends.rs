//! Makes good for TLS handshakes that clients broke off. Nobody can end those in the client's place, as nobody has its
//! keys, and MariaDB counts each against this proxy's address; but a login that succeeds sets the count to zero. So
//! their connections are closed a few at a time, with a login of the monitoring account after each few.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use capitana_core::HostPort;
use capitana_core::tls::Records;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::monitor::connect;
use super::relay::Observer;
use super::shared::Shared;
use super::waiting::Place;
use crate::config::ProxyProtocol;

/// Handshakes broken off between two logins. The smallest `max_connect_errors` that is dealt with is twice this and more;
/// MariaDB's default is 100.
const FEW: usize = 4;
/// A server closes within milliseconds of being told that the client has.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connection whose client went away in the midst of its TLS handshake.
pub struct BrokenOff {
    /// The connection to the server.
    pub upstream: TcpStream,
    /// Its place there.
    pub place: Place,
}

/// Closes what comes in until the proxy ends.
pub async fn run(shared: Arc<Shared>, mut broken: mpsc::UnboundedReceiver<BrokenOff>) {
    let mut batch = Vec::with_capacity(FEW);
    let mut warned = false;
    while broken.recv_many(&mut batch, FEW).await > 0 {
        shared.metrics.broken_off.inc_by(batch.len() as u64);
        let servers: BTreeSet<HostPort> = batch.iter().map(|one| one.place.upstream().clone()).collect();
        let mut closing = JoinSet::new();
        for one in batch.drain(..) {
            closing.spawn(timeout(PATIENCE, close(one)));
        }
        closing.join_all().await;
        let config = shared.config.load_full();
        match &config.monitor {
            // With a PROXY header the server counts against the client's own address.
            _ if config.proxy_protocol != ProxyProtocol::Off => {}
            Some(account) => {
                for server in servers {
                    if !matches!(timeout(PATIENCE, connect(account, &server)).await, Ok(Ok(_))) {
                        tracing::warn!(%server, "clients break off TLS handshakes, and the monitoring account cannot \
                             log in: MariaDB may block this proxy's address (error 1129)");
                    }
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

/// Ends the connection and waits until the server has, and so has counted it.
async fn close(one: BrokenOff) {
    let BrokenOff { mut upstream, place } = one;
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
