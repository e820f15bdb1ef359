//! What happens to a client until a server has greeted it: it waits, within limits, and is told why in vain.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use support::{
    Client, DEADLINE, NOBODY, Proxy, Start, Stub, accept_login, connect, error_of, free_address, get,
    greeting, login, metric, read_packet, until,
};

fn ended(proxy: &Proxy, reason: &str) -> f64 {
    metric(proxy.admin, &format!("capitana_sessions_ended_total{{reason=\"{reason}\"}}"))
}

#[test]
fn a_client_waits_for_a_server_that_is_absent_and_is_served_when_it_comes() {
    let address = free_address();
    let proxy = Start::to(address).start();
    let mut client = connect(proxy.listen);
    proxy.has_held(1);
    let _stub = Stub::on(address, |stream| drop(accept_login(stream)));
    assert_eq!(read_packet(&mut client).unwrap(), greeting(42));
    assert_eq!(metric(proxy.admin, "capitana_sessions_held"), 0.0);
    assert_eq!(metric(proxy.admin, "capitana_hold_duration_seconds_count"), 1.0);
}

#[test]
fn a_client_that_waited_in_vain_is_told_that_the_server_cannot_be_reached() {
    let address = free_address();
    let proxy = Start::to(address).flag("--hold-timeout", "300ms").start();
    let started = Instant::now();
    let (code, text) = error_of(&read_packet(&mut connect(proxy.listen)).unwrap());
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(code, 1053);
    assert!(text.contains(&address.to_string()) && text.contains("refused"), "{text}");
    assert!(text.contains("300ms") && text.contains("Nothing was sent"), "{text}");
    proxy.has_sessions(0);
    assert_eq!(ended(&proxy, "hold-timeout"), 1.0);
}

#[test]
fn without_zookeeper_a_client_is_told_so_and_so_is_who_asks_for_readiness() {
    let proxy = Start::with(&["--zookeeper", NOBODY, "--hold-timeout", "400ms"]).start();
    let (code, text) = error_of(&read_packet(&mut connect(proxy.listen)).unwrap());
    assert_eq!(code, 1053);
    assert!(text.contains("ZooKeeper"), "{text}");
    let ready = until("readiness names the cause", || {
        let ready = get(proxy.admin, "/readyz");
        ready.body.contains("cannot be reached").then_some(ready)
    });
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("ZooKeeper") && ready.body.contains(NOBODY), "{}", ready.body);
    assert_eq!(get(proxy.admin, "/healthz").status, 200);
    assert_eq!(metric(proxy.admin, "capitana_zookeeper_connected"), 0.0);
}

#[test]
fn a_server_that_never_greets_is_named_with_that() {
    let stub = Stub::new(|mut stream| drop(stream.read(&mut [0])));
    let proxy = Start::to(stub.address).flag("--hold-timeout", "300ms").start();
    let (code, text) = error_of(&read_packet(&mut connect(proxy.listen)).unwrap());
    assert_eq!(code, 1053);
    assert!(text.contains("does not greet"), "{text}");
}

#[test]
fn who_is_cut_short_by_the_holds_end_is_told_what_others_met_before() {
    let attempts = AtomicUsize::new(0);
    let stub = Stub::new(move |mut stream| {
        if attempts.fetch_add(1, SeqCst) > 0 {
            drop(stream.read(&mut [0]));
        }
    });
    let proxy = Start::to(stub.address).flag("--hold-timeout", "600ms").start();
    let mut first = connect(proxy.listen);
    until("the server has refused it once", || (stub.accepted() > 1).then_some(()));
    // Its turn comes when the first one's attempt, which nobody greets, has ended.
    let mut second = connect(proxy.listen);
    for client in [&mut first, &mut second] {
        let (_, text) = error_of(&read_packet(client).unwrap());
        assert!(text.contains("without a greeting"), "{text}");
    }
}

#[test]
fn a_server_that_does_not_answer_at_all_is_not_said_to_accept_connections() {
    // A listener whose queue is full: further connections are not answered.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let address = free_address();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(0).unwrap();
    let silent = TcpListener::from(socket);
    let _queued = std::net::TcpStream::connect(address).unwrap();
    let proxy = Start::to(address).flag("--hold-timeout", "300ms").start();
    let (_, text) = error_of(&read_packet(&mut connect(proxy.listen)).unwrap());
    assert!(!text.contains("does not greet"), "{text}");
    drop(silent);
}

#[test]
fn a_server_that_closes_before_it_greets_is_tried_again() {
    let attempts = AtomicUsize::new(0);
    let stub = Stub::new(move |stream| {
        if attempts.fetch_add(1, SeqCst) >= 3 {
            drop(accept_login(stream));
        }
    });
    let proxy = Start::to(stub.address).start();
    Client::open(proxy.listen);
    assert_eq!(stub.accepted(), 4);
    assert_eq!(metric(proxy.admin, "capitana_dials_total{result=\"failed\"}"), 3.0);
    assert_eq!(metric(proxy.admin, "capitana_dials_total{result=\"ok\"}"), 1.0);
}

#[test]
fn a_server_that_stays_away_is_asked_less_and_less_often() {
    let stub = Stub::new(drop);
    let proxy = Start::to(stub.address).flag("--hold-timeout", "2s").start();
    read_packet(&mut connect(proxy.listen)).unwrap();
    assert!((4..=14).contains(&stub.accepted()), "asked {} times in 2 s", stub.accepted());
}

#[test]
fn an_error_in_place_of_a_greeting_passes_to_the_client() {
    let stub = Stub::new(|mut stream| {
        stream.write_all(b"\x17\0\0\0\xff\x10\x04Too many connections").unwrap();
    });
    let proxy = Start::to(stub.address).start();
    let (code, text) = error_of(&read_packet(&mut connect(proxy.listen)).unwrap());
    assert_eq!((code, text.as_str()), (1040, "Too many connections"));
    assert_eq!(stub.accepted(), 1);
}

#[test]
fn a_server_that_greets_late_is_waited_for() {
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let stub = Stub::new(move |stream| {
        wait.lock().unwrap().recv_timeout(DEADLINE).unwrap();
        drop(accept_login(stream));
    });
    let proxy = Start::to(stub.address).start();
    let mut client = connect(proxy.listen);
    proxy.has_sessions(1);
    until("the server was reached", || (stub.accepted() == 1).then_some(()));
    go.send(()).unwrap();
    assert_eq!(read_packet(&mut client).unwrap(), greeting(42));
}

#[test]
fn no_more_clients_wait_than_may() {
    let proxy = Start::to(free_address()).flag("--max-held", "2").start();
    let _waiting = [connect(proxy.listen), connect(proxy.listen)];
    proxy.has_held(2);
    let (code, text) = error_of(&read_packet(&mut connect(proxy.listen)).unwrap());
    assert_eq!(code, 1053);
    assert!(text.contains("too many") && text.contains("max-held"), "{text}");
    proxy.has_sessions(2);
    assert_eq!(ended(&proxy, "hold-full"), 1.0);
}

#[test]
fn a_client_that_gives_up_frees_its_place() {
    let proxy = Start::to(free_address()).flag("--max-held", "1").start();
    let impatient = connect(proxy.listen);
    proxy.has_held(1);
    drop(impatient);
    proxy.has_sessions(0);
    assert_eq!(ended(&proxy, "client-gave-up"), 1.0);
    let _patient = connect(proxy.listen);
    proxy.has_held(1);
    assert_eq!(ended(&proxy, "hold-full"), 0.0);
}

#[test]
fn where_nobody_may_wait_a_client_is_refused_at_once() {
    let proxy = Start::to(free_address()).flag("--max-held", "0").start();
    let (code, _) = error_of(&read_packet(&mut connect(proxy.listen)).unwrap());
    assert_eq!(code, 1053);
    assert_eq!(ended(&proxy, "hold-full"), 1.0);
}

#[test]
fn a_client_that_does_not_log_in_is_closed_after_the_handshake_timeout() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).flag("--handshake-timeout", "300ms").start();
    let mut client = Client(connect(proxy.listen));
    read_packet(&mut client.0).unwrap();
    client.ends();
    proxy.has_sessions(0);
    assert_eq!(ended(&proxy, "handshake-timeout"), 1.0);
}

#[test]
fn the_handshake_timeout_does_not_touch_a_session_that_is_open() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).flag("--handshake-timeout", "100ms").start();
    let mut open = Client::open(proxy.listen);
    // A second client that is closed for its silence shows that the time has passed.
    let mut silent = Client(connect(proxy.listen));
    read_packet(&mut silent.0).unwrap();
    silent.ends();
    open.echo(b"still here");
}

#[test]
fn a_port_scan_and_garbage_do_no_harm() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).start();
    for garbage in [&b""[..], b"\0", b"GET / HTTP/1.1\r\n\r\n", &[0xff; 5000]] {
        let mut client = connect(proxy.listen);
        client.write_all(garbage).unwrap();
        drop(client);
    }
    let mut late = connect(proxy.listen);
    read_packet(&mut late).unwrap();
    late.write_all(&login("shop")[..7]).unwrap();
    drop(late);
    proxy.has_sessions(0);
    Client::open(proxy.listen).echo(b"as before");
}
