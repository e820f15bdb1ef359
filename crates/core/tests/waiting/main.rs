//! The waiting room: what its tests share.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod clients;
mod readers;

use std::time::Duration;

use capitana_core::Role::{Primary, Replica};
use capitana_core::waiting::{Arrival, Limits, Release, Target, Ticket, WaitingRoom};
use capitana_core::{HostPort, Role};

const ANY: Limits = Limits { per_second: 1000, dials: 64, sessions: None, waiters: 100 };

fn server(name: &str) -> HostPort {
    HostPort::new(name, 3306).unwrap()
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn ticket(id: u64) -> Ticket {
    Ticket { since: ms(id), id, role: Primary }
}

fn reader(id: u64) -> Ticket {
    Ticket { role: Replica, ..ticket(id) }
}

fn to(name: &str) -> Arrival {
    Arrival::Pass(server(name))
}

/// Servers with their weights.
fn targets(servers: &[(&str, u32)]) -> Vec<Target> {
    servers.iter().map(|(name, weight)| Target { upstream: server(name), weight: *weight }).collect()
}

fn aim(room: &mut WaitingRoom, role: Role, servers: &[&str], now: Duration) {
    let equal: Vec<_> = servers.iter().map(|name| (*name, 100)).collect();
    room.aim(role, &targets(&equal), now);
}

/// A room whose clients go to `a`.
fn open(limits: Limits) -> WaitingRoom {
    let mut room = WaitingRoom::new(limits, 1);
    aim(&mut room, Primary, &["a"], Duration::ZERO);
    assert_eq!(room.release(Duration::ZERO), Release::Nobody);
    room
}

/// Everybody who may go at `now`.
fn released(room: &mut WaitingRoom, now: Duration) -> Vec<u64> {
    let mut released = Vec::new();
    while let Release::Now(ticket, _) = room.release(now) {
        released.push(ticket.id);
    }
    released
}
