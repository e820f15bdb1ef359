//! How a proxy is stopped: open sessions finish, within a limit, and nobody new is let in.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use rustix::process::Signal;
use support::{Client, Start, Stub, connect, error_of, free_address, get, read_packet};

#[test]
fn sigterm_lets_an_open_session_finish_and_refuses_new_ones() {
    let stub = Stub::echo();
    let mut proxy = Start::to(stub.address).start();
    let mut client = Client::open(proxy.listen);
    proxy.signal(Signal::TERM);
    Client::refused(proxy.listen);
    client.echo(b"still served");
    assert!(proxy.runs());
    drop(client);
    assert_eq!(proxy.exit_code(), 0);
    // Whoever tried whether it is refused already may have a line too.
    let ends = proxy.log_lines("session ended", 1);
    assert!(ends.iter().any(|end| end["reason"] == "client-closed"), "{ends:?}");
}

#[test]
fn sigint_is_taken_as_sigterm() {
    let mut proxy = Start::to(free_address()).start();
    proxy.signal(Signal::INT);
    assert_eq!(proxy.exit_code(), 0);
}

#[test]
fn a_proxy_that_is_stopping_says_so_to_who_asks_for_readiness() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).start();
    let _client = Client::open(proxy.listen);
    assert_eq!(get(proxy.admin, "/readyz").status, 200);
    proxy.signal(Signal::TERM);
    Client::refused(proxy.listen);
    let ready = get(proxy.admin, "/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("stopping"), "{}", ready.body);
    assert_eq!(get(proxy.admin, "/healthz").status, 200);
}

#[test]
fn a_session_that_does_not_finish_is_ended_at_the_limit() {
    let stub = Stub::echo();
    let mut proxy = Start::to(stub.address).flag("--shutdown-timeout", "300ms").start();
    let mut client = Client::open(proxy.listen);
    proxy.signal(Signal::TERM);
    client.ends();
    drop(client);
    assert_eq!(proxy.exit_code(), 0);
    assert_eq!(proxy.log_line("session ended")["reason"], "shutdown");
}

#[test]
fn a_second_sigterm_ends_every_session_at_once() {
    let stub = Stub::echo();
    let mut proxy = Start::to(stub.address).flag("--shutdown-timeout", "1h").start();
    let mut client = Client::open(proxy.listen);
    proxy.signal(Signal::TERM);
    Client::refused(proxy.listen);
    proxy.signal(Signal::TERM);
    client.ends();
    drop(client);
    assert_eq!(proxy.exit_code(), 0);
}

#[test]
fn a_client_that_does_not_close_does_not_keep_the_proxy_alive() {
    let stub = Stub::echo();
    let mut proxy = Start::to(stub.address).flag("--shutdown-timeout", "1ms").start();
    let _clients: Vec<_> = (0..10).map(|_| Client::open(proxy.listen)).collect();
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.exit_code(), 0);
}

#[test]
fn a_client_that_is_held_when_the_proxy_ends_is_told_so() {
    let mut proxy =
        Start::to(free_address()).flag("--hold-timeout", "1h").flag("--shutdown-timeout", "100ms").start();
    let mut client = connect(proxy.listen);
    proxy.has_held(1);
    proxy.signal(Signal::TERM);
    let (code, text) = error_of(&read_packet(&mut client).unwrap());
    assert_eq!(code, 1053);
    assert!(text.contains("stopp") && text.contains("Nothing was sent"), "{text}");
    drop(client);
    assert_eq!(proxy.exit_code(), 0);
}

#[test]
fn a_client_that_is_held_when_the_proxy_stops_is_still_led_to_a_server_that_comes() {
    let address = free_address();
    let mut proxy = Start::to(address).start();
    let mut client = connect(proxy.listen);
    proxy.has_held(1);
    proxy.signal(Signal::TERM);
    Client::refused(proxy.listen);
    let _stub = Stub::on(address, |stream| drop(support::accept_login(stream)));
    read_packet(&mut client).unwrap();
    drop(client);
    assert_eq!(proxy.exit_code(), 0);
}
