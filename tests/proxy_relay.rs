//! What passes between a client and its server: every byte, both ways, whoever closes first.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use support::{
    Random, Start, Stub, connect, greeting, login, metric, nothing_is_left, pair, read_all, read_packet,
    seed, until,
};

#[test]
fn the_greeting_passes_unchanged() {
    let sent = greeting(0x0102_0304);
    let expected = sent.clone();
    let stub = Stub::new(move |mut stream| {
        stream.write_all(&sent).unwrap();
        let _ = stream.read(&mut [0]);
    });
    let proxy = Start::to(stub.address).start();
    assert_eq!(read_packet(&mut connect(proxy.listen)).unwrap(), expected);
}

#[test]
fn a_greeting_that_is_no_mysql_passes_unchanged() {
    let sent = Random(seed()).bytes(100_000);
    let expected = sent.clone();
    let stub = Stub::new(move |mut stream| stream.write_all(&sent).unwrap());
    let proxy = Start::to(stub.address).start();
    assert_eq!(read_all(&connect(proxy.listen)), expected);
}

#[test]
fn a_greeting_in_pieces_passes_piece_by_piece() {
    let (go, gone): (Sender<()>, Receiver<()>) = channel();
    let gone = Mutex::new(gone);
    let stub = Stub::new(move |mut stream| {
        for byte in greeting(1) {
            stream.write_all(&[byte]).unwrap();
            gone.lock().unwrap().recv().unwrap();
        }
    });
    let proxy = Start::to(stub.address).start();
    let mut client = connect(proxy.listen);
    for expected in greeting(1) {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        assert_eq!(byte[0], expected);
        go.send(()).unwrap();
    }
}

#[test]
fn a_login_that_comes_before_the_greeting_reaches_the_server_after_it() {
    let early = login("shop");
    let length = early.len();
    let stub = Stub::new(move |mut stream| {
        stream.write_all(&greeting(1)).unwrap();
        let mut heard = vec![0; length];
        stream.read_exact(&mut heard).unwrap();
        stream.write_all(&heard).unwrap();
    });
    let proxy = Start::to(stub.address).start();
    let mut client = connect(proxy.listen);
    client.write_all(&early).unwrap();
    assert_eq!(read_packet(&mut client).unwrap(), greeting(1));
    assert_eq!(read_all(&client), early);
}

#[test]
fn a_client_that_has_said_everything_still_gets_every_byte() {
    let (stub, proxy, mut client, mut server) = pair();
    client.write_all(b"the last request").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&server), b"the last request");
    let answer = Random(seed()).bytes(3 << 20);
    let expected = answer.clone();
    let writer = thread::spawn(move || server.write_all(&answer).unwrap());
    assert!(read_all(&client) == expected);
    writer.join().unwrap();
    drop(client);
    nothing_is_left(&stub, &proxy);
    assert_eq!(metric(proxy.admin, "capitana_sessions_ended_total{reason=\"client-closed\"}"), 1.0);
}

#[test]
fn a_server_that_has_said_everything_still_gets_every_byte() {
    let (stub, proxy, mut client, mut server) = pair();
    server.write_all(b"the last answer").unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&client), b"the last answer");
    let rest = Random(seed()).bytes(3 << 20);
    let expected = rest.clone();
    let writer = thread::spawn(move || client.write_all(&rest).unwrap());
    assert!(read_all(&server) == expected);
    writer.join().unwrap();
    drop(server);
    nothing_is_left(&stub, &proxy);
    assert_eq!(metric(proxy.admin, "capitana_sessions_ended_total{reason=\"upstream-closed\"}"), 1.0);
}

#[test]
fn a_client_that_stays_when_its_server_has_closed_is_closed_after_a_grace() {
    let (stub, proxy, client, server) = pair();
    drop(server);
    assert!(read_all(&client).is_empty());
    proxy.has_sessions(0);
    assert_eq!(metric(proxy.admin, "capitana_sessions_ended_total{reason=\"upstream-closed\"}"), 1.0);
    drop(client);
    nothing_is_left(&stub, &proxy);
}

#[test]
fn a_server_whose_client_breaks_off_is_told() {
    let (stub, proxy, client, server) = pair();
    // Closing with something unread makes the kernel send RST in place of FIN.
    (&server).write_all(b"unread").unwrap();
    until("it has come", || matches!(client.peek(&mut [0]), Ok(1)).then_some(()));
    drop(client);
    let end = (&server).read(&mut [0]);
    assert!(matches!(end, Ok(0)) || end.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
    drop(server);
    nothing_is_left(&stub, &proxy);
    assert_eq!(metric(proxy.admin, "capitana_sessions_ended_total{reason=\"client-error\"}"), 1.0);
}

#[test]
fn a_client_whose_server_breaks_off_is_told_and_has_what_was_sent_before() {
    let (stub, proxy, client, server) = pair();
    (&client).write_all(b"unread").unwrap();
    until("it has come", || matches!(server.peek(&mut [0]), Ok(1)).then_some(()));
    (&server).write_all(b"the last words").unwrap();
    drop(server);
    let mut heard = Vec::new();
    // The connection may end in order or not; the words come first.
    let _ = (&client).read_to_end(&mut heard);
    assert_eq!(heard, b"the last words");
    drop(client);
    nothing_is_left(&stub, &proxy);
}

#[test]
fn the_last_words_of_a_server_that_stops_reading_reach_a_client_that_still_writes() {
    let (_stub, _proxy, client, server) = pair();
    let writing = client.try_clone().unwrap();
    let writer = thread::spawn(move || {
        let piece = [7; 1 << 16];
        // As a client does that sends a packet the server does not want: until it cannot any more.
        while (&writing).write_all(&piece).is_ok() {}
    });
    (&server).read_exact(&mut [0; 1 << 16]).unwrap();
    (&server).write_all(b"packet too large").unwrap();
    drop(server);
    let mut heard = Vec::new();
    let _ = (&client).read_to_end(&mut heard);
    assert_eq!(heard, b"packet too large");
    let _ = client.shutdown(Shutdown::Both);
    writer.join().unwrap();
}
