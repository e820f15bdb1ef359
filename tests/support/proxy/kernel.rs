//! What the kernel says of sockets and processes.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

/// Sockets that one side has closed and the other has not, with one of these addresses as either end.
pub fn half_closed(addresses: &[SocketAddr]) -> Vec<String> {
    const CLOSE_WAIT: &str = "08";
    const FIN_WAIT_2: &str = "05";
    let ends: Vec<_> = addresses.iter().map(written).collect();
    let is_end = |end: &str| ends.iter().any(|of| of == end);
    sockets(|local, remote, state| {
        (state == CLOSE_WAIT || state == FIN_WAIT_2) && (is_end(local) || is_end(remote))
    })
}

/// Ports that are kept for a minute by who has closed a connection to this server first.
pub fn time_waits_to(server: SocketAddr) -> Vec<String> {
    const TIME_WAIT: &str = "06";
    let server = written(&server);
    sockets(|_, remote, state| state == TIME_WAIT && remote == server)
}

/// The kernel's IPv4 sockets of which this holds: of the local address, the other one, the state.
fn sockets(wanted: impl Fn(&str, &str, &str) -> bool) -> Vec<String> {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let lines = table.lines().skip(1).filter(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        wanted(fields.next().unwrap(), fields.next().unwrap(), fields.next().unwrap())
    });
    lines.map(str::to_owned).collect()
}

/// An address as /proc/net/tcp writes it: the bytes in the machine's order.
fn written(address: &SocketAddr) -> String {
    let SocketAddr::V4(address) = address else { panic!("{address} is not IPv4") };
    format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port())
}

/// Memory that a process has in use, in bytes.
pub fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Open descriptors of a process.
pub fn descriptors(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}
