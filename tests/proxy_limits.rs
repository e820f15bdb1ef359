//! How many clients are let in, and what happens when descriptors run out.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use std::time::Instant;

use support::{
    Client, Start, Stub, connect, cpu_time, descriptors, error_of, free_address, metric, read_packet, until,
};

const PAUSED: &str = "cannot accept connections for the moment; the listen queue holds them";

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
fn running_out_of_descriptors_pauses_accepting_without_spinning_and_loses_nobody() {
    const DESCRIPTORS: u32 = 60;
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).descriptors(DESCRIPTORS).flag("--hold-timeout", "1h").start();
    let mut early = Client::open(proxy.listen);
    let crowd: Vec<_> = (0..DESCRIPTORS).map(|_| connect(proxy.listen)).collect();

    proxy.log_line(PAUSED);
    let (started, used) = (Instant::now(), cpu_time(proxy.id()));
    // Five at once, then one a second.
    proxy.log_lines(PAUSED, 6);
    let (lasted, used) = (started.elapsed(), cpu_time(proxy.id()) - used);
    assert!(used < lasted / 3, "{used:?} of processor time in {lasted:?}");
    early.echo(b"undisturbed");

    drop(crowd);
    Client::open(proxy.listen).echo(b"served again");
    early.echo(b"undisturbed");
    assert!(metric(proxy.admin, "capitana_accept_errors_total") > 0.0);
    drop(early);
    proxy.has_sessions(0);
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
