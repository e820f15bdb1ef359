//! Owns what the kernel says of a proxy's descriptors, threads and half-closed connections.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};

/// States of `include/net/tcp_states.h`.
const FIN_WAIT1: u8 = 4;
const FIN_WAIT2: u8 = 5;
const CLOSE_WAIT: u8 = 8;

/// Connections of which one direction has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HalfClosed {
    /// The peer has ended its direction, the proxy has not.
    pub(crate) close_wait: usize,
    /// The proxy has ended its direction, the peer has not.
    pub(crate) fin_wait: usize,
}

impl HalfClosed {
    /// Both kinds.
    pub(crate) fn all(self) -> usize {
        self.close_wait + self.fin_wait
    }
}

/// How many files a process has open.
///
/// # Errors
/// There is no such process.
pub(crate) fn descriptors(pid: u32) -> Result<usize> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"));
    Ok(entries.with_context(|| format!("cannot look at the files of process {pid}"))?.count())
}

/// How many threads a process has.
///
/// # Errors
/// There is no such process.
pub(crate) fn threads(pid: u32) -> Result<usize> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"));
    Ok(entries.with_context(|| format!("cannot look at the threads of process {pid}"))?.count())
}

/// The half-closed connections of the proxy at `proxy`, towards clients and towards these servers. In a lab nobody else
/// connects to its servers, apart from the agents, whose connections stay open.
///
/// # Errors
/// The kernel does not say.
pub(crate) fn half_closed(proxy: SocketAddr, servers: &[SocketAddr]) -> Result<HalfClosed> {
    let table = fs::read_to_string("/proc/net/tcp").context("cannot read /proc/net/tcp")?;
    Ok(count(&table, |local, remote| local == proxy || servers.contains(&remote)))
}

fn count(table: &str, is_ours: impl Fn(SocketAddr, SocketAddr) -> bool) -> HalfClosed {
    let mut found = HalfClosed::default();
    for (local, remote, state) in table.lines().filter_map(connection) {
        match state {
            CLOSE_WAIT if is_ours(local, remote) => found.close_wait += 1,
            FIN_WAIT1 | FIN_WAIT2 if is_ours(local, remote) => found.fin_wait += 1,
            _ => {}
        }
    }
    found
}

/// A line of /proc/net/tcp: the local address, the remote one, and the state.
fn connection(line: &str) -> Option<(SocketAddr, SocketAddr, u8)> {
    let mut words = line.split_whitespace().skip(1);
    let (local, remote, state) = (words.next()?, words.next()?, words.next()?);
    Some((address(local)?, address(remote)?, u8::from_str_radix(state, 16).ok()?))
}

/// The address as the kernel has it in memory, in hexadecimal, as one number; the port as it is.
fn address(word: &str) -> Option<SocketAddr> {
    let (ip, port) = word.split_once(':')?;
    let ip = Ipv4Addr::from(u32::from_str_radix(ip, 16).ok()?.to_ne_bytes());
    Some(SocketAddr::from((ip, u16::from_str_radix(port, 16).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_closed_connections_are_counted_on_the_proxys_side_only() {
        let table = "  sl  local_address rem_address   st tx_queue\n\
            0: 1F024D7F:0CEA 0100007F:9C40 08 00000000:00000000\n\
            1: 0100007F:9C40 1F024D7F:0CEA 05 00000000:00000000\n\
            2: 0100007F:9C42 0B024D7F:0CEA 04 00000000:00000000\n\
            3: 1F024D7F:0CEA 0100007F:9C44 01 00000000:00000000\n";
        let proxy: SocketAddr = "127.77.2.31:3306".parse().unwrap();
        let server: SocketAddr = "127.77.2.11:3306".parse().unwrap();
        let found = count(table, |local, remote| local == proxy || remote == server);
        assert_eq!(found, HalfClosed { close_wait: 1, fin_wait: 1 });
    }
}
