//! How much passes between clients and servers: streams both ways at once, readers that stop, sessions that take all.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use support::{
    Client, DEADLINE, Random, Start, digest, handing_over, metric, nothing_is_left, pair, pause, read_all,
    resident, seed,
};

/// More than the kernel keeps of one connection for a reader that has stopped, with everything on its way.
const MORE_THAN_FITS: usize = 64 << 20;

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
