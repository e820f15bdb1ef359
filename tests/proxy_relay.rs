//! What passes between a client and its server: every byte, both ways, whoever closes first.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use support::{
    Client, DEADLINE, Proxy, Random, Start, Stub, accept_login, connect, digest, greeting, half_closed,
    login, metric, pause, read_packet, resident, seed, until,
};

/// More than the kernel keeps of one connection for a reader that has stopped, with everything on its way.
const MORE_THAN_FITS: usize = 64 << 20;

/// A server that lets one client in and hands the connection to the test.
fn handing_over() -> (Stub, Receiver<TcpStream>) {
    let (sender, receiver): (Sender<TcpStream>, _) = channel();
    let stub = Stub::new(move |stream| {
        if let Some(stream) = accept_login(stream) {
            let _ = sender.send(stream);
        }
    });
    (stub, receiver)
}

/// A client and the server it was led to, logged in.
fn pair() -> (Stub, Proxy, TcpStream, TcpStream) {
    let (stub, servers) = handing_over();
    let proxy = Start::to(stub.address).start();
    let client = Client::open(proxy.listen).0;
    let server = servers.recv_timeout(DEADLINE).unwrap();
    (stub, proxy, client, server)
}

fn read_all(mut from: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

fn nothing_is_left(stub: &Stub, proxy: &Proxy) {
    proxy.has_sessions(0);
    until("no socket is half closed", || half_closed(&[stub.address, proxy.listen]).is_empty().then_some(()));
}

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
    let gone = std::sync::Mutex::new(gone);
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

/// Writes `size` random bytes in random pieces with random pauses and says no more.
fn write_randomly(mut to: TcpStream, seed: u64, size: usize) -> thread::JoinHandle<u64> {
    thread::spawn(move || {
        let mut random = Random(seed);
        let (mut left, mut sum) = (size, 0);
        while left > 0 {
            let scale = 1 << random.below(18);
            let piece = random.below(scale) as usize + 1;
            let bytes = random.bytes(piece.min(left));
            to.write_all(&bytes).unwrap();
            sum = digest(sum, &bytes);
            left -= bytes.len();
            if random.below(50) == 0 {
                pause(Duration::from_micros(random.below(3000)));
            }
        }
        to.shutdown(Shutdown::Write).unwrap();
        sum
    })
}

/// Reads in random pieces with random pauses to the end.
fn read_randomly(mut from: TcpStream, seed: u64) -> thread::JoinHandle<(u64, usize)> {
    thread::spawn(move || {
        let mut random = Random(seed);
        let (mut sum, mut size, mut window) = (0, 0, vec![0; 1 << 17]);
        loop {
            let most = random.below(1 << 17) as usize + 1;
            let read = from.read(&mut window[..most]).unwrap();
            if read == 0 {
                return (sum, size);
            }
            sum = digest(sum, &window[..read]);
            size += read;
            if random.below(100) == 0 {
                pause(Duration::from_micros(random.below(3000)));
            }
        }
    })
}

#[test]
fn random_streams_arrive_unchanged_both_ways_at_once() {
    const SIZE: usize = 6 << 20;
    let mut seeds = Random(seed());
    let (stub, servers) = handing_over();
    let proxy = Start::to(stub.address).start();
    let sessions: Vec<_> = (0..4)
        .map(|_| {
            let client = Client::open(proxy.listen).0;
            (client, servers.recv_timeout(DEADLINE).unwrap())
        })
        .collect();
    let running: Vec<_> = sessions
        .iter()
        .flat_map(|(client, server)| [(client, server), (server, client)])
        .map(|(from, to)| {
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            (write_randomly(from, seeds.next(), SIZE), read_randomly(to, seeds.next()))
        })
        .collect();
    for (writer, reader) in running {
        assert_eq!(reader.join().unwrap(), (writer.join().unwrap(), SIZE));
    }
    drop(sessions);
    nothing_is_left(&stub, &proxy);
    let relayed = metric(proxy.admin, "capitana_relay_bytes_total{direction=\"to-client\"}");
    assert!(relayed >= (4 * SIZE) as f64);
}

/// Writes until the way is full, and answers how much that took.
fn fill(mut to: &TcpStream) -> usize {
    to.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let piece = [7; 1 << 16];
    let mut written = 0;
    while written < MORE_THAN_FITS {
        match to.write(&piece) {
            Ok(count) => written += count,
            Err(e) if e.kind() == ErrorKind::WouldBlock => break,
            Err(e) => panic!("{e}"),
        }
    }
    written
}

#[test]
fn a_reader_that_stops_stops_the_writer_and_costs_the_proxy_little() {
    const SESSIONS: usize = 20;
    let (stub, servers) = handing_over();
    let proxy = Start::to(stub.address).start();
    drop(Client::open(proxy.listen));
    drop(servers.recv_timeout(DEADLINE).unwrap());
    let before = resident(proxy.id());
    let sessions: Vec<_> = (0..SESSIONS)
        .map(|_| (Client::open(proxy.listen).0, servers.recv_timeout(DEADLINE).unwrap()))
        .collect();
    let fillers: Vec<_> = sessions
        .iter()
        .map(|(_, server)| server.try_clone().unwrap())
        .map(|server| thread::spawn(move || fill(&server)))
        .collect();
    let written: Vec<usize> = fillers.into_iter().map(|filler| filler.join().unwrap()).collect();
    assert!(written.iter().all(|written| *written < MORE_THAN_FITS), "{written:?}");
    let grown = resident(proxy.id()).saturating_sub(before);
    assert!(grown < (SESSIONS * 150) as u64 * 1024, "{} KB for {SESSIONS} sessions", grown / 1024);

    // Reading on, every byte comes.
    let (client, server) = &sessions[0];
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(client).len(), written[0]);
}

#[test]
fn a_server_that_stops_reading_stops_its_client() {
    let (_stub, _proxy, client, server) = pair();
    let written = fill(&client);
    assert!(written < MORE_THAN_FITS);
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&server).len(), written);
}

#[test]
fn one_session_that_takes_all_it_can_does_not_hold_up_another() {
    let (stub, servers) = handing_over();
    let proxy = Start::to(stub.address).flag("--threads", "1");
    let proxy = proxy.start();
    let greedy = Client::open(proxy.listen).0;
    let flood = servers.recv_timeout(DEADLINE).unwrap();
    let reader = thread::spawn(move || std::io::copy(&mut &greedy, &mut std::io::sink()).unwrap());
    let flood_end = flood.try_clone().unwrap();
    let writer = thread::spawn(move || while (&flood).write_all(&[0; 1 << 16]).is_ok() {});

    let mut small = Client::open(proxy.listen).0;
    let mut echo = servers.recv_timeout(DEADLINE).unwrap();
    for _ in 0..100 {
        small.write_all(b"ping").unwrap();
        echo.read_exact(&mut [0; 4]).unwrap();
        echo.write_all(b"pong").unwrap();
        small.read_exact(&mut [0; 4]).unwrap();
    }
    flood_end.shutdown(Shutdown::Both).unwrap();
    writer.join().unwrap();
    assert!(reader.join().unwrap() > 0);
}
