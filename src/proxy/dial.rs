//! Connects to a server. Owns the socket options; when to try again is its caller's.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use capitana_core::HostPort;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};

/// Idle time before the kernel asks a silent peer whether it lives.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// Time between two such questions.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Unanswered questions after which the connection is dead.
const KEEPALIVE_RETRIES: u32 = 3;

/// Resolves the name and connects to the first address that answers, within `limit` in all. `own` are the addresses this
/// process listens on.
///
/// # Errors
/// The name does not resolve, or the last address's failure.
pub async fn dial(target: &HostPort, limit: Duration, own: &[SocketAddr]) -> io::Result<TcpStream> {
    match tokio::time::timeout(limit, dial_any(target, own)).await {
        Ok(dialled) => dialled,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}"))),
    }
}

async fn dial_any(target: &HostPort, own: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in resolve(target).await? {
        match TcpStream::connect(address).await {
            Ok(stream) if leads_back(&stream, own)? => {
                last = io::Error::other("it is this proxy's own address");
            }
            Ok(stream) => {
                tune(&stream)?;
                return Ok(stream);
            }
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// Whether the connection ends at one of this process's own listeners, or at itself (RFC 9293 3.5 lets a socket connect
/// to itself). A proxy that leads to itself would do so without end.
fn leads_back(stream: &TcpStream, own: &[SocketAddr]) -> io::Result<bool> {
    let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
    let is_here = peer.ip().is_loopback() || peer.ip() == local.ip();
    let covers = |listener: &SocketAddr| {
        listener.port() == peer.port()
            && (listener.ip() == peer.ip() || (listener.ip().is_unspecified() && is_here))
    };
    Ok(local == peer || own.iter().any(covers))
}

/// An IP address needs no look-up, and so no thread of the blocking pool.
async fn resolve(target: &HostPort) -> io::Result<Vec<SocketAddr>> {
    match target.ip() {
        Some(ip) => Ok(vec![SocketAddr::new(ip, target.port())]),
        None => Ok(lookup_host((target.host(), target.port())).await?.collect()),
    }
}

/// Sets what every relayed connection has: no Nagle delay, and an end for idle peers that died without a word.
///
/// TCP_USER_TIMEOUT is left unset on purpose: it would also end a peer that lives and acknowledges but does not read
/// for that long (tcp(7): "buffered data may remain untransmitted"), such as a client that works through a large result
/// slowly. A peer that dies with data under way is given up by the kernel after net.ipv4.tcp_retries2.
///
/// # Errors
/// The system refused an option.
pub fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    socket.set_tcp_keepalive(&keepalive)
}
