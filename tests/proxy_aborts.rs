//! Clients that vanish in the midst of a handshake: the server sees it come to an orderly end.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use capitana_core::packet::Login;
use support::{DEADLINE, Proxy, Start, Stub, connect, greeting, login, metric, ok, read_packet};

const VANISHED: &str = "capitana-client-vanished";
const DENIED: &[u8] = b"\x09\0\0\x02\xff\x15\x04#28000";
const SWITCH: &[u8] = b"\x17\0\0\x02\xfemysql_clear_password\0\0";

/// A server that tells what its `serve` gives.
fn telling<T: Send + 'static>(serve: impl Fn(TcpStream) -> T + Send + Sync + 'static) -> (Stub, Receiver<T>) {
    let (tell, told): (Sender<T>, _) = channel();
    let stub = Stub::new(move |stream| drop(tell.send(serve(stream))));
    (stub, told)
}

/// Greets, denies the login and gives its user; nothing if none came.
fn denying(mut stream: TcpStream) -> Option<String> {
    stream.write_all(&greeting(42)).ok()?;
    let packet = read_packet(&mut stream).ok()?;
    assert_eq!(packet[3], 1);
    let login = Login::read(&packet[4..]);
    stream.write_all(DENIED).ok()?;
    assert_eq!(stream.read(&mut [0]).ok()?, 0, "the server was told something more");
    match login? {
        Login::Plain { user, .. } => Some(user.into_owned()),
        Login::Tls { .. } => None,
    }
}

fn ended_handshakes(proxy: &Proxy) {
    let series = "capitana_handshakes_ended_total{result=\"ok\"}";
    support::until("the handshake was ended", || (metric(proxy.admin, series) == 1.0).then_some(()));
}

/// What a server sees of a client that does `act` after the greeting and is gone.
fn seen_of(act: impl FnOnce(&mut TcpStream)) -> Option<String> {
    let (stub, told) = telling(denying);
    let proxy = Start::to(stub.address).start();
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    act(&mut client);
    drop(client);
    let seen = told.recv_timeout(DEADLINE).unwrap();
    ended_handshakes(&proxy);
    seen
}

#[test]
fn for_a_client_that_goes_without_a_word_the_server_sees_a_login_of_nobody() {
    assert_eq!(seen_of(|_| {}).as_deref(), Some(VANISHED));
}

#[test]
fn a_half_closed_client_counts_as_gone() {
    assert_eq!(seen_of(|client| client.shutdown(Shutdown::Write).unwrap()).as_deref(), Some(VANISHED));
}

#[test]
fn of_half_a_login_the_server_sees_nothing() {
    assert_eq!(seen_of(|client| client.write_all(&login("shop")[..20]).unwrap()).as_deref(), Some(VANISHED));
}

#[test]
fn of_what_is_no_login_the_server_sees_nothing() {
    let sent: [&[u8]; 3] = [b"GET / HTTP/1.1\r\n\r\n", b"\x03\0\0\x01abc", b"\x03\0\0\x07abc"];
    for sent in sent {
        let seen = seen_of(|client| {
            client.write_all(sent).unwrap();
            assert_eq!(read_packet(client).unwrap()[3..7], [2, 0xff, 19, 4]);
        });
        assert_eq!(seen.as_deref(), Some(VANISHED));
    }
}

#[test]
fn a_login_whose_parts_do_not_fit_into_it_goes_nowhere() {
    let mut bytes = login("shop");
    // The answer is said to be longer than the packet.
    *bytes.last_mut().unwrap() = 99;
    let seen = seen_of(|client| {
        client.write_all(&bytes).unwrap();
        read_packet(client).unwrap();
    });
    assert_eq!(seen.as_deref(), Some(VANISHED));
}

#[test]
fn a_client_that_goes_before_the_greeting_costs_the_server_no_broken_handshake() {
    let (greet, may_greet) = channel::<()>();
    let may_greet = std::sync::Mutex::new(may_greet);
    let (stub, told) = telling(move |stream| {
        may_greet.lock().unwrap().recv_timeout(DEADLINE).unwrap();
        denying(stream)
    });
    let proxy = Start::to(stub.address).start();
    let client = connect(proxy.listen);
    support::until("the server is dialled", || (stub.accepted() == 1).then_some(()));
    drop(client);
    proxy.has_sessions(0);
    greet.send(()).unwrap();
    assert_eq!(told.recv_timeout(DEADLINE).unwrap().as_deref(), Some(VANISHED));
}

#[test]
fn a_client_that_does_not_log_in_in_time_costs_no_broken_handshake() {
    let (stub, told) = telling(denying);
    let proxy = Start::to(stub.address).flag("--handshake-timeout", "200ms").start();
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    assert_eq!(told.recv_timeout(DEADLINE).unwrap().as_deref(), Some(VANISHED));
    assert_eq!(proxy.log_line("session ended")["reason"], "handshake-timeout");
}

/// What a server that asks for another plugin gets from a client that sends `answer` and is gone.
fn answered(answer: &[u8]) -> Vec<u8> {
    let (stub, told) = telling(|mut stream| {
        stream.write_all(&greeting(42)).unwrap();
        read_packet(&mut stream).unwrap();
        stream.write_all(SWITCH).unwrap();
        let answer = read_packet(&mut stream).unwrap();
        stream.write_all(DENIED).unwrap();
        answer
    });
    let proxy = Start::to(stub.address).start();
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    client.write_all(&login("shop")).unwrap();
    read_packet(&mut client).unwrap();
    client.write_all(answer).unwrap();
    drop(client);
    told.recv_timeout(DEADLINE).unwrap()
}

#[test]
fn a_question_of_a_plugin_is_answered_for_a_client_that_has_gone() {
    assert_eq!(answered(b""), [0, 0, 0, 3]);
}

#[test]
fn half_an_answer_is_made_whole() {
    assert_eq!(answered(b"\x05\0\0\x03ab"), *b"\x05\0\0\x03ab\0\0\0");
    assert_eq!(answered(b"\0"), [0, 0, 0, 3]);
}

#[test]
fn a_login_that_succeeds_after_its_client_has_gone_is_ended_with_a_quit() {
    let (may_go_on, go_on) = channel::<()>();
    let go_on = std::sync::Mutex::new(go_on);
    let (stub, told) = telling(move |mut stream| {
        stream.write_all(&greeting(42)).unwrap();
        read_packet(&mut stream).unwrap();
        go_on.lock().unwrap().recv_timeout(DEADLINE).unwrap();
        stream.write_all(&ok()).unwrap();
        read_packet(&mut stream).unwrap()
    });
    let proxy = Start::to(stub.address).start();
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    client.write_all(&login("shop")).unwrap();
    drop(client);
    proxy.has_sessions(0);
    may_go_on.send(()).unwrap();
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), b"\x01\0\0\0\x01");
}

#[test]
fn a_request_for_tls_goes_to_the_server_only_with_the_beginning_of_it() {
    let mut request = login("shop")[..36].to_vec();
    request[0] = 32;
    request[5] |= 8;
    assert_eq!(seen_of(|client| client.write_all(&request).unwrap()).as_deref(), Some(VANISHED));
}

#[test]
fn a_tls_handshake_that_is_broken_off_is_known_as_that() {
    let (stub, told) = telling(|mut stream| {
        stream.write_all(&greeting(42)).unwrap();
        read_packet(&mut stream).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        rest
    });
    let proxy = Start::to(stub.address).start();
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    let mut request = login("shop")[..36].to_vec();
    request[0] = 32;
    request[5] |= 8;
    request.extend_from_slice(b"\x16\x03\x01\0\x04abcd");
    client.write_all(&request).unwrap();
    let gone_on = || metric(proxy.admin, "capitana_relay_bytes_total{direction=\"to-upstream\"}") >= 45.0;
    support::until("the hello has gone on", || gone_on().then_some(()));
    drop(client);
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), b"\x16\x03\x01\0\x04abcd");
    assert_eq!(metric(proxy.admin, "capitana_tls_handshakes_broken_total"), 1.0);
    proxy.log_line(
        "clients break off TLS handshakes; MariaDB counts them against this proxy's address and blocks it after \
         max_connect_errors of them in a row (error 1129): set monitor-user, whose logins set the count to zero, or \
         skip_name_resolve on the server",
    );
}
