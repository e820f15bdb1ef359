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

/// Resolves the name and connects to the first address that answers, within `limit` in all.
///
/// # Errors
/// The name does not resolve, or the last address's failure.
pub async fn dial(target: &HostPort, limit: Duration) -> io::Result<TcpStream> {
    match tokio::time::timeout(limit, dial_any(target)).await {
        Ok(dialled) => dialled,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}"))),
    }
}

async fn dial_any(target: &HostPort) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in resolve(target).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                tune(&stream)?;
                return Ok(stream);
            }
            Err(e) => last = e,
        }
    }
    Err(last)
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
