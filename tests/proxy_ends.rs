//! What the log says of a session's end: one line, who ended it and why.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::time::Duration;

use serde_json::Value;
use support::{
    Client, Proxy, Start, Stub, accept_login, connect, error_of, free_address, metric, packet, read_packet,
    time_waits_to, until,
};

/// The one line about the one session, and the count that belongs to it.
fn end(proxy: &Proxy, reason: &str) -> Value {
    let line = proxy.log_line("session ended");
    assert_eq!(line["reason"], reason, "{line}");
    proxy.has_sessions(0);
    assert_eq!(metric(proxy.admin, &format!("capitana_sessions_ended_total{{reason=\"{reason}\"}}")), 1.0);
    assert_eq!(proxy.log_lines("session ended", 1).len(), 1);
    line
}

#[test]
fn a_client_that_closes_is_logged_with_what_its_handshake_showed_and_its_bytes() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).start();
    let mut client = Client::open(proxy.listen);
    client.echo(b"12345");
    let from = client.0.local_addr().unwrap().to_string();
    drop(client);
    let line = end(&proxy, "client-closed");
    assert_eq!(line["client"], from);
    assert_eq!(line["upstream"], stub.address.to_string());
    assert_eq!((&line["user"], &line["thread_id"]), (&"shop".into(), &42.into()));
    assert_eq!((&line["tls"], &line["epoch"]), (&false.into(), &0.into()));
    assert_eq!(line["to_upstream"], 5 + support::login("shop").len());
    assert_eq!(line["to_client"], 5 + support::greeting(42).len() + support::ok().len());
    assert!(line["seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_client_that_breaks_off_is_logged_as_an_error_of_the_client() {
    let stub = Stub::new(|stream| {
        if let Some(mut stream) = accept_login(stream) {
            while stream.write_all(&[7; 1 << 16]).is_ok() {}
        }
    });
    let proxy = Start::to(stub.address).start();
    let client = Client::open(proxy.listen);
    until("something is unread", || client.0.peek(&mut [0]).ok().filter(|n| *n == 1));
    drop(client);
    end(&proxy, "client-error");
}

#[test]
fn a_server_that_closes_is_logged_as_closed_by_the_server() {
    let stub = Stub::new(|stream| drop(accept_login(stream)));
    let proxy = Start::to(stub.address).start();
    let mut client = Client::open(proxy.listen);
    client.ends();
    drop(client);
    end(&proxy, "upstream-closed");
}

#[test]
fn a_client_that_says_goodbye_has_ended_its_session_and_is_told_nothing_of_the_server_that_closes_for_it() {
    let stub = Stub::new(|stream| {
        let mut stream = accept_login(stream).unwrap();
        assert_eq!(read_packet(&mut stream).unwrap(), packet(0, b"\x01"));
    });
    let proxy = Start::to(stub.address).start();
    let mut client = Client::open(proxy.listen);
    client.0.write_all(&packet(0, b"\x01")).unwrap();
    client.ends();
    end(&proxy, "client-closed");
}

#[test]
fn a_client_that_says_goodbye_and_closes_leaves_closing_and_the_port_that_is_kept_to_the_server() {
    let stub = Stub::new(|stream| {
        let mut stream = accept_login(stream).unwrap();
        assert_eq!(read_packet(&mut stream).unwrap(), packet(0, b"\x01"));
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert!(read_packet(&mut stream).is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
    });
    let proxy = Start::to(stub.address).start();
    let mut client = Client::open(proxy.listen);
    client.0.write_all(&packet(0, b"\x01")).unwrap();
    drop(client);
    end(&proxy, "client-closed");
    let kept = time_waits_to(stub.address);
    assert!(kept.is_empty(), "{kept:?}");
}

#[test]
fn a_server_that_closes_is_said_to_have_closed_even_if_its_client_speaks_on() {
    let stub = Stub::new(|stream| drop(accept_login(stream)));
    let proxy = Start::to(stub.address).start();
    let mut client = Client::open(proxy.listen);
    client.ends();
    until("the session is over", || client.0.write_all(b"one more question").is_err().then_some(()));
    end(&proxy, "upstream-closed");
}

#[test]
fn a_server_that_breaks_off_is_logged_as_an_error_of_the_server() {
    let stub = Stub::new(|stream| {
        if let Some(stream) = accept_login(stream) {
            until("something is unread", || stream.peek(&mut [0]).ok().filter(|n| *n == 1));
        }
    });
    let proxy = Start::to(stub.address).start();
    let mut client = Client::open(proxy.listen);
    client.0.write_all(b"unread").unwrap();
    client.ends();
    drop(client);
    end(&proxy, "upstream-error");
}

#[test]
fn a_client_that_goes_during_the_handshake_is_logged_without_a_user() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).start();
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    client.shutdown(Shutdown::Both).unwrap();
    let line = end(&proxy, "client-closed");
    assert_eq!((&line["user"], &line["thread_id"]), (&Value::Null, &42.into()));
}

#[test]
fn a_client_that_gives_up_waiting_is_logged_without_a_server() {
    let proxy = Start::to(free_address()).start();
    let client = connect(proxy.listen);
    proxy.has_held(1);
    drop(client);
    let line = end(&proxy, "client-gave-up");
    assert_eq!(line["upstream"], Value::Null);
}

#[test]
fn a_client_that_is_not_let_in_is_logged_with_what_it_is_told() {
    let proxy = Start::to(free_address()).flag("--hold-timeout", "300ms").start();
    let told = read_packet(&mut connect(proxy.listen)).unwrap();
    let (_, told) = error_of(&told);
    assert!(told.contains("Connection refused"), "{told}");
    assert_eq!(end(&proxy, "hold-timeout")["cause"], told);
}

#[test]
fn a_client_that_gives_up_waiting_is_logged_with_what_it_waited_for() {
    let upstream = free_address();
    let proxy = Start::to(upstream).start();
    let client = connect(proxy.listen);
    proxy.has_held(1);
    until("a dial has failed", || {
        (metric(proxy.admin, "capitana_dials_total{result=\"failed\"}") > 0.0).then_some(())
    });
    drop(client);
    let line = end(&proxy, "client-gave-up");
    let expected = format!("the primary {upstream} cannot be reached: Connection refused (os error 111)");
    assert_eq!(line["cause"], expected);
}

#[test]
fn a_client_that_sends_something_else_than_a_login_is_logged_with_what_it_is_told() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).start();
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let line = end(&proxy, "bad-handshake");
    assert_eq!(line["cause"], "capitana: this is not the login of a MySQL client.");
}

#[test]
fn a_client_too_many_is_logged_too() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).flag("--max-connections", "1").start();
    let _first = Client::open(proxy.listen);
    let second = connect(proxy.listen);
    let line = proxy.log_line("session ended");
    assert_eq!(line["reason"], "too-many-connections");
    assert_eq!(line["client"], second.local_addr().unwrap().to_string());
}

#[test]
fn a_user_name_of_great_length_does_not_fill_the_log() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).start();
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    client.write_all(&support::login(&"u".repeat(15_000))).unwrap();
    read_packet(&mut client).unwrap();
    drop(client);
    let line = end(&proxy, "client-closed");
    assert!(line["user"].as_str().unwrap().len() <= 128, "{line}");
}

#[test]
fn under_load_lines_are_held_back_and_counted() {
    let proxy = Start::to(free_address()).flag("--max-held", "0").flag("--threads", "1").start();
    for _ in 0..400 {
        read_packet(&mut connect(proxy.listen)).unwrap();
    }
    proxy.has_sessions(0);
    let said = proxy.log_lines("session ended", 1).len();
    let held_back = metric(proxy.admin, "capitana_log_lines_suppressed_total") as usize;
    assert!(held_back > 0);
    assert_eq!(metric(proxy.admin, "capitana_sessions_ended_total{reason=\"hold-full\"}"), 400.0);
    until("the rest is in the log", || {
        (proxy.log_lines("session ended", said).len() + held_back == 400).then_some(())
    });
}
