//! Addresses for what a test starts, and for what must not be there.

#![allow(dead_code, reason = "each test file uses a part of this")]

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering::SeqCst};

use socket2::{Domain, Socket, Type};

/// An address on which nobody listens: a port for which only root may.
pub const NOBODY: &str = "127.0.0.1:1";

/// An address that nobody uses: a loopback host of its own and a port that was free there a moment ago. Connections
/// from here come from 127.0.0.1, so that nothing takes the port meanwhile.
pub fn free_address() -> SocketAddr {
    free_port(next_host().into()).unwrap()
}

/// A port that was free on this host a moment ago, unless the machine has no such host.
///
/// Nobody has listened on it: a process that another thread starts meanwhile has this one's sockets until it runs its
/// own program, and connections to a listener of which it has the last copy would be accepted, and broken off then.
pub fn free_port(host: IpAddr) -> io::Result<SocketAddr> {
    let address = SocketAddr::new(host, 0);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // With it a copy that is left does not keep others from the port.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket.local_addr()?.as_socket().unwrap())
}

/// A listener on an address like `free_address`'s, for those who need not give it up in between.
pub fn free_listener() -> TcpListener {
    TcpListener::bind((next_host(), 0)).unwrap()
}

fn next_host() -> Ipv4Addr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // No network's first or last address, and no address twice in a row.
    const IN_A_NETWORK: u16 = 254;
    let number = (process::id() as u16).wrapping_mul(251).wrapping_add(NEXT.fetch_add(1, SeqCst));
    let number = number % (256 * IN_A_NETWORK);
    Ipv4Addr::new(127, 66, (number / IN_A_NETWORK) as u8, (number % IN_A_NETWORK + 1) as u8)
}
