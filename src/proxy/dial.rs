//! Connects to a server. Owns the socket options and the addresses connected from; when to try again is its caller's.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use capitana_core::HostPort;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream, lookup_host};

use crate::config::ProxyConfig;
use crate::error::{Error, Origin};
use crate::sys;

/// Idle time before the kernel asks a silent peer whether it lives.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// Time between two such questions.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Unanswered questions after which the connection is dead.
const KEEPALIVE_RETRIES: u32 = 3;

/// Connects to servers as the settings want it.
#[derive(Debug)]
pub struct Dialler {
    sources: Vec<IpAddr>,
    /// Whose turn it is. Dials are rare beside packets, so one counter serves all threads.
    turn: AtomicUsize,
    stall_timeout: Option<Duration>,
}

impl Dialler {
    /// A dialler of these settings.
    #[must_use]
    pub fn new(config: &ProxyConfig) -> Self {
        let (sources, stall_timeout) = (config.source_addresses.clone(), config.stall_timeout);
        Self { sources, turn: AtomicUsize::new(0), stall_timeout }
    }

    /// Whether every source address is one of this host.
    ///
    /// # Errors
    /// One is not.
    pub fn check(&self) -> Result<(), Error> {
        let refused = |ip: &IpAddr| std::net::UdpSocket::bind((*ip, 0)).err().map(|error| (*ip, error));
        match self.sources.iter().find_map(refused) {
            Some((ip, error)) => Err(Error::Setting {
                origin: Origin::Unset("source-addresses".to_owned()),
                problem: format!("{ip} cannot be connected from ({error}): is it an address of this host?"),
            }),
            None => Ok(()),
        }
    }

    /// Resolves the name and connects to the first address that answers.
    ///
    /// # Errors
    /// The name does not resolve, or the last address's failure. `AddrNotAvailable`: no local port is free.
    pub async fn dial(&self, target: &HostPort, config: &ProxyConfig) -> io::Result<TcpStream> {
        let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
        for address in resolve(target).await? {
            match self.connect(address).await {
                Ok(stream) if leads_back(&stream, address, config)? => {
                    last = io::Error::other("it is this proxy's own address");
                }
                Ok(stream) => {
                    tune(&SockRef::from(&stream), self.stall_timeout)?;
                    return Ok(stream);
                }
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    /// Connects from the next source address that has a port left.
    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let first = self.turn.fetch_add(1, Relaxed);
        let fitting: Vec<_> = self.sources.iter().filter(|ip| ip.is_ipv4() == address.is_ipv4()).collect();
        let mut last = None;
        for tried in 0..fitting.len() {
            match connect_from(*fitting[(first + tried) % fitting.len()], address).await {
                Err(error) if error.kind() == ErrorKind::AddrNotAvailable => last = Some(error),
                connected => return connected,
            }
        }
        let connected = match last {
            Some(error) => Err(error),
            None => TcpStream::connect(address).await,
        };
        connected.map_err(|error| match error.kind() {
            ErrorKind::AddrNotAvailable => io::Error::new(error.kind(), no_port(address)),
            _ => error,
        })
    }
}

/// Sets what every relayed connection has: no Nagle delay, and an end for idle peers that died without a word. What is
/// accepted inherits it from its listener (Linux).
///
/// TCP_USER_TIMEOUT is left unset unless `stall-timeout` asks for it: it also ends a peer that lives and acknowledges
/// but does not read for that long (tcp(7): "buffered data may remain untransmitted"), such as a client that works
/// through a large result slowly. Without it the kernel gives a peer that dies with data under way up after
/// net.ipv4.tcp_retries2.
///
/// # Errors
/// The system refused an option.
pub fn tune(socket: &SockRef<'_>, stall_timeout: Option<Duration>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    match stall_timeout {
        Some(limit) => socket.set_tcp_user_timeout(Some(limit)),
        None => Ok(()),
    }
}

async fn connect_from(source: IpAddr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    sys::bind_address_no_port(&socket)?;
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(address).await
}

fn no_port(address: SocketAddr) -> String {
    format!(
        "this host has no port left for connections to {address}: widen net.ipv4.ip_local_port_range or give the proxy \
         more source-addresses"
    )
}

/// Whether the connection ends at one of this process's own listeners, or at itself (RFC 9293 3.5 lets a socket connect
/// to itself). A proxy that leads to itself would do so without end.
fn leads_back(stream: &TcpStream, peer: SocketAddr, config: &ProxyConfig) -> io::Result<bool> {
    let local = stream.local_addr()?;
    let is_here = peer.ip().is_loopback() || peer.ip() == local.ip();
    let covers = |(_, listener): (_, SocketAddr)| {
        listener.port() == peer.port()
            && (listener.ip() == peer.ip() || (listener.ip().is_unspecified() && is_here))
    };
    Ok(local == peer || config.listeners().any(covers))
}

/// An IP address needs no look-up, and so no thread of the blocking pool.
async fn resolve(target: &HostPort) -> io::Result<Vec<SocketAddr>> {
    match target.ip() {
        Some(ip) => Ok(vec![SocketAddr::new(ip, target.port())]),
        None => Ok(lookup_host((target.host(), target.port())).await?.collect()),
    }
}
