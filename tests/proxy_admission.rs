//! Who is let on to the primary, and when: limits of a client's and of the primary's connections, and the order, rate
//! and number of dials.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use support::{
    Client, DEADLINE, Start, Stub, accept_login, connect, error_of, free_address, greeting, login, metric,
    read_packet, until,
};

/// A connection from an address of this machine's choice.
fn connect_from(source: Ipv4Addr, proxy: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.connect(&proxy.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

#[test]
fn one_address_has_no_more_connections_than_it_may_and_takes_none_from_others() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).flag("--max-connections-per-client", "1").start();
    let first = Client::open(proxy.listen);
    let (code, text) = error_of(&read_packet(&mut connect(proxy.listen)).unwrap());
    assert_eq!(code, 1040);
    assert!(text.contains("max-connections-per-client"), "{text}");
    let mut other = connect_from(Ipv4Addr::new(127, 0, 0, 9), proxy.listen);
    assert_eq!(read_packet(&mut other).unwrap(), greeting(42));
    drop(first);
    proxy.has_sessions(1);
    Client::open(proxy.listen).echo(b"room again");
    let rejected = "capitana_connections_rejected_total{limit=\"max-connections-per-client\"}";
    assert_eq!(metric(proxy.admin, rejected), 1.0);
    assert_eq!(metric(proxy.admin, "capitana_sessions_ended_total{reason=\"too-many-of-client\"}"), 1.0);
}

#[test]
fn clients_over_the_primarys_limit_wait_and_are_let_in_oldest_first_as_others_leave() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).flag("--max-upstream-connections", "1").start();
    let first = Client::open(proxy.listen);
    let mut waiting: Vec<TcpStream> = Vec::new();
    for count in 1..=3 {
        waiting.push(connect(proxy.listen));
        proxy.has_held(count);
    }
    assert_eq!(stub.accepted(), 1);
    drop(first);
    for (position, mut client) in waiting.into_iter().enumerate() {
        assert_eq!(read_packet(&mut client).unwrap(), greeting(42));
        client.write_all(&login("shop")).unwrap();
        read_packet(&mut client).unwrap();
        proxy.has_held(2 - position as u64);
        assert_eq!(stub.accepted(), position + 2);
    }
    let status = proxy.status("the clients have gone", |status| status["sessions"]["upstream"] == 0);
    assert_eq!(status["sessions"]["released"], 3);
}

#[test]
fn a_client_that_waited_in_vain_for_a_place_is_told_that_there_are_too_many() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address)
        .flag("--max-upstream-connections", "1")
        .flag("--hold-timeout", "300ms")
        .start();
    let _first = Client::open(proxy.listen);
    let (code, text) = error_of(&read_packet(&mut connect(proxy.listen)).unwrap());
    assert_eq!(code, 1040);
    assert!(text.contains("Too many connections") && text.contains("try again"), "{text}");
    proxy.has_sessions(1);
    assert_eq!(metric(proxy.admin, "capitana_sessions_ended_total{reason=\"upstream-full\"}"), 1.0);
    let status = proxy.status("there is a status", |_| true);
    assert_eq!(status["sessions"]["rejected"]["max-upstream-connections"], 1);
}

#[test]
fn no_more_dials_are_under_way_than_may() {
    let (greet, greeted) = channel::<()>();
    let greeted = Mutex::new(greeted);
    let stub = Stub::new(move |mut stream| {
        if greeted.lock().unwrap().recv_timeout(DEADLINE).is_ok() {
            let _ = stream.write_all(&greeting(42));
            let _ = read_packet(&mut stream);
        }
    });
    let proxy = Start::to(stub.address).flag("--dial-concurrency", "2").start();
    let mut clients: Vec<_> = (0..6).map(|_| connect(proxy.listen)).collect();
    proxy.has_held(4);
    until("two dials are under way", || (stub.accepted() == 2).then_some(()));
    greet.send(()).unwrap();
    until("the third is under way", || (stub.accepted() == 3).then_some(()));
    proxy.has_held(3);
    (0..5).for_each(|_| greet.send(()).unwrap());
    for client in &mut clients {
        assert_eq!(read_packet(client).unwrap(), greeting(42));
    }
}

#[test]
fn clients_that_waited_for_a_server_are_let_on_to_it_at_the_rate() {
    let address = free_address();
    let proxy = Start::to(address).flag("--dial-rate", "20").start();
    let mut clients: Vec<_> = (0..20).map(|_| connect(proxy.listen)).collect();
    proxy.has_held(20);
    let arrivals: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let seen = Arc::clone(&arrivals);
    let _stub = Stub::on(address, move |stream| {
        seen.lock().unwrap().push(Instant::now());
        drop(accept_login(stream));
    });
    for client in &mut clients {
        assert_eq!(read_packet(client).unwrap(), greeting(42));
    }
    let arrivals = arrivals.lock().unwrap();
    let took = *arrivals.last().unwrap() - *arrivals.first().unwrap();
    // The first asks whether the server is there, one has its turn at once, eighteen wait a twentieth of a second each.
    assert!(took >= Duration::from_millis(850), "{took:?}");
}

#[test]
fn a_server_that_refuses_is_asked_by_one_of_the_many_that_wait() {
    let stub = Stub::new(drop);
    let proxy = Start::to(stub.address).flag("--hold-timeout", "600ms").start();
    let mut clients: Vec<_> = (0..50).map(|_| connect(proxy.listen)).collect();
    for client in &mut clients {
        let (_, text) = error_of(&read_packet(client).unwrap());
        assert!(text.contains("without a greeting"), "{text}");
    }
    // At first all of them may ask at once; after that one each 50 ms.
    assert!(stub.accepted() <= 50 + 600 / 50, "{} dials", stub.accepted());
}
