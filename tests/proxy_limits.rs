//! How many clients are let in, and what happens when descriptors run out.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use rustix::io::ioctl_fionread;
use support::{
    Client, Start, Stub, connect, descriptors, error_of, free_address, metric, read_packet, until,
};

const FULL: &str = "there are as many sessions as descriptors allow; the listen queue holds the next clients until one ends \
                    (LimitNOFILE= in systemd)";

#[test]
fn a_client_too_many_is_told_what_mariadb_would_say() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).flag("--max-connections", "2").start();
    let _clients = [Client::open(proxy.listen), Client::open(proxy.listen)];
    let (code, text) = error_of(&read_packet(&mut connect(proxy.listen)).unwrap());
    assert_eq!((code, text.as_str()), (1040, "Too many connections"));
    assert_eq!(metric(proxy.admin, "capitana_sessions_ended_total{reason=\"too-many-connections\"}"), 1.0);
    assert_eq!(stub.accepted(), 2);
}

#[test]
fn a_client_that_leaves_makes_room_for_the_next() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).flag("--max-connections", "1").start();
    for _ in 0..20 {
        Client::open(proxy.listen).echo(b"my turn");
        proxy.has_sessions(0);
    }
}

#[test]
fn each_listener_has_places_of_its_own() {
    let stub = Stub::echo();
    let second = free_address();
    let proxy =
        Start::to(stub.address).flag("--max-connections", "1").flag("--listen", &second.to_string()).start();
    let _first = Client::open(proxy.listen);
    Client::open(second).echo(b"room here");
    let (code, _) = error_of(&read_packet(&mut connect(proxy.listen)).unwrap());
    assert_eq!(code, 1040);
}

#[test]
fn a_client_that_is_held_takes_a_place_too() {
    let proxy = Start::to(free_address()).flag("--max-connections", "1").start();
    let _held = connect(proxy.listen);
    proxy.has_held(1);
    let (code, _) = error_of(&read_packet(&mut connect(proxy.listen)).unwrap());
    assert_eq!(code, 1040);
}

#[test]
fn nobody_is_accepted_without_descriptors_for_a_session_and_nobody_is_lost_for_that() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).descriptors(128).start();
    let most = metric(proxy.admin, "capitana_sessions_limit") as usize;
    assert!((1..64).contains(&most), "{most} sessions with 128 descriptors");
    let mut sessions: Vec<_> = (0..most).map(|_| Client::open(proxy.listen)).collect();
    let mut waiting: Vec<_> = (0..20).map(|_| connect(proxy.listen)).collect();

    proxy.log_line(FULL);
    for session in &mut sessions {
        session.echo(b"undisturbed");
    }
    assert_eq!(metric(proxy.admin, "capitana_connections_accepted_total") as usize, most);
    assert_eq!(metric(proxy.admin, "capitana_accept_errors_total"), 0.0);

    for _ in 0..waiting.len() {
        drop(sessions.pop());
        let next = until("one that waits is served", || {
            waiting.iter().position(|client| ioctl_fionread(client).is_ok_and(|bytes| bytes > 0))
        });
        sessions.insert(0, Client::served(waiting.swap_remove(next)));
    }
    for session in &mut sessions {
        session.echo(b"undisturbed");
    }
}

#[test]
fn a_limit_too_low_for_a_session_is_said_at_once() {
    let mut proxy = Start::to(free_address()).descriptors(40).spawn();
    assert_eq!(proxy.exit_code(), 71);
    assert!(proxy.log().concat().contains("too low for a single session"), "{:?}", proxy.log());
}

#[test]
fn a_session_leaves_no_descriptor_behind() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).start();
    Client::open(proxy.listen).echo(b"warm");
    proxy.has_sessions(0);
    let before = descriptors(proxy.id());
    let clients: Vec<_> = (0..50).map(|_| Client::open(proxy.listen)).collect();
    assert!(descriptors(proxy.id()) >= before + 90);
    drop(clients);
    // The connection that asks for the status may or may not be gone.
    until("all descriptors are closed", || (descriptors(proxy.id()) <= before + 1).then_some(()));
}

#[test]
fn sessions_spread_over_the_threads_and_all_are_served() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).flag("--threads", "4").start();
    let mut clients: Vec<_> = (0..40).map(|_| Client::open(proxy.listen)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.echo(format!("client {number}").as_bytes());
    }
    proxy.has_sessions(40);
}
