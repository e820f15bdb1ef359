//! Lets a new client in or not: whose address counts, how many connections a client may have, and what the server is
//! told of it. The listener's own limit is the acceptor's.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use capitana_core::EndReason;
use capitana_core::opening::BAD_HANDSHAKE;
use capitana_core::packet::TOO_MANY_CONNECTIONS;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::hold::Refusal;
use super::leash::Leash;
use super::proxy_header::{Origin, encode, read};
use super::worker::Worker;

/// A client that is let in.
#[derive(Debug)]
pub struct Admitted {
    /// What the server is told before anything else. May be empty.
    pub header: Vec<u8>,
    /// Its place among the connections of its address.
    pub place: ClientPlace,
}

/// Learns the client's address and gives it a place.
///
/// # Errors
/// It has enough connections, or has to send a PROXY header and did not.
pub async fn admit(
    worker: &Worker,
    leash: &Leash,
    client: &mut TcpStream,
    places: &Arc<ClientPlaces>,
) -> Result<Admitted, Refusal> {
    let config = worker.shared.config.load_full();
    let peer = leash.client.get();
    let ip = peer.ip().to_canonical();
    let mut destination = None;
    if config.accept_proxy_protocol.iter().any(|rule| rule.contains(ip)) {
        let origin = tokio::select! {
            biased;
            reason = leash.ended() => return Err(Refusal::silent(reason)),
            origin = timeout(config.handshake_timeout, read(client)) => origin,
        };
        let origin = origin.unwrap_or_else(|_| Err("it sent none in time (handshake-timeout)".to_owned()));
        if let Some(Origin { source, destination: to }) = origin.map_err(|why| missing(peer, &why))? {
            leash.client.set(source);
            destination = Some(to);
        }
    }
    let source = leash.client.get();
    let place = ClientPlaces::take(places, source.ip().to_canonical()).ok_or_else(|| {
        worker.shared.metrics.rejected_client.inc();
        let text = "Too many connections from this address (max-connections-per-client)";
        Refusal::told(EndReason::TooManyOfClient, TOO_MANY_CONNECTIONS, text)
    })?;
    let own = || client.local_addr().unwrap_or(source);
    let header = encode(config.proxy_protocol, source, || destination.unwrap_or_else(own));
    Ok(Admitted { header, place })
}

fn missing(peer: SocketAddr, why: &str) -> Refusal {
    tracing::debug!(%peer, why, "no PROXY header");
    let text =
        format!("capitana: {} has to begin with a PROXY header (accept-proxy-protocol): {why}.", peer.ip());
    Refusal::told(EndReason::ProxyHeaderMissing, BAD_HANDSHAKE, &text)
}

/// The connections of each client on one listener.
#[derive(Debug)]
pub struct ClientPlaces {
    most: Option<usize>,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

impl ClientPlaces {
    /// So many for each address.
    #[must_use]
    pub fn new(most: Option<usize>) -> Self {
        Self { most, taken: Mutex::default() }
    }

    /// A place for this address, unless it has as many as it may have.
    #[must_use]
    pub fn take(places: &Arc<Self>, ip: IpAddr) -> Option<ClientPlace> {
        let Some(most) = places.most else { return Some(ClientPlace(None)) };
        let mut taken = places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(ip).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(ClientPlace(Some(Box::new((Arc::clone(places), ip)))))
    }
}

/// A connection that counts for its client, until it is dropped. Boxed, as every session has one and few proxies count.
#[derive(Debug)]
pub struct ClientPlace(Option<Box<(Arc<ClientPlaces>, IpAddr)>>);

impl Drop for ClientPlace {
    fn drop(&mut self) {
        let Some((places, ip)) = self.0.take().map(|place| *place) else { return };
        let mut taken = places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = taken.entry(ip) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}
