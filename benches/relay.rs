//! What capitana costs: the pure pieces alone, and the relay over loopback beside a direct connection in the same run.
//! `cargo bench --bench relay`, in less than a minute. Whole systems, with MariaDB and peers, are measured by the lab.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench is no library and may panic")]

use std::cell::RefCell;
use std::future::poll_fn;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use capitana::proxy::relay::{BUFFER, Relay};
use capitana_core::election::Event;
use capitana_core::handshake::Handshake;
use capitana_core::{AllowList, Election, RawMember, RawView};
use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};

/// A small query and its answer.
const PACKET: usize = 64;
/// What one iteration of the bulk transfer moves.
const BULK: usize = 32 << 20;

/// A greeting, a login and an OK, as MariaDB 10.11 and its client send them.
fn handshake(criterion: &mut Criterion) {
    let mut greeting =
        b"\x5b\0\0\0\x0a5.5.5-10.11.8-MariaDB\0\x2a\0\0\0abcdefgh\0\xfe\xff\x2d\x02\0\xff\x81\x15".to_vec();
    greeting.extend_from_slice(b"\0\0\0\0\0\0\x1d\0\0\0ijklmnopqrst\0mysql_native_password\0");
    greeting[0] = (greeting.len() - 4) as u8;
    let mut login = vec![0x26, 0, 0, 1, 0, 0xa2, 0, 0, 0, 0, 0, 1, 45];
    login.extend_from_slice(&[0; 23]);
    login.extend_from_slice(b"shop\0\0");
    criterion.bench_function("handshake read along", |bencher| {
        bencher.iter(|| {
            let mut handshake = Handshake::default();
            handshake.from_server(black_box(&greeting));
            handshake.from_client(black_box(&login));
            handshake.from_server(black_box(&[7, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0]));
            assert!(handshake.is_over());
            handshake
        });
    });
}

/// A reading of an election with three members, nothing changed.
fn election(criterion: &mut Criterion) {
    let member = |czxid: i64| RawMember {
        name: format!("node-{czxid:010}"),
        czxid,
        ephemeral_owner: 1,
        data: format!(r#"{{"host": "db{czxid}.internal", "port": 3306, "guid": "5f0c"}}"#).into_bytes(),
    };
    let view = RawView { pzxid: 3, exists: true, members: (1..=3).map(member).collect() };
    let mut election = Election::new(AllowList::default());
    criterion.bench_function("election read", |bencher| {
        bencher.iter(|| election.on(Event::Read(black_box(view.clone())), Duration::ZERO));
    });
}

/// A server that answers every `PACKET` bytes with as many, or, to a request that begins with 1, with `BULK`.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || answer(&stream.unwrap()));
        }
    });
    address
}

fn answer(mut stream: &TcpStream) {
    stream.set_nodelay(true).unwrap();
    let (mut request, piece) = ([0; PACKET], vec![7; 1 << 18]);
    while stream.read_exact(&mut request).is_ok() {
        let written = match request[0] {
            1 => (0..BULK / piece.len()).try_for_each(|_| stream.write_all(&piece)),
            _ => stream.write_all(&request),
        };
        if written.is_err() {
            return;
        }
    }
}

/// A relay before the server, as a worker runs it: one thread, one runtime, one buffer.
fn relayed(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let upstream = tokio::net::TcpStream::connect(server).await.unwrap();
                client.set_nodelay(true).unwrap();
                upstream.set_nodelay(true).unwrap();
                let mut relay = Relay::new(client, upstream, Vec::new());
                let buffer = RefCell::new(vec![0; BUFFER].into_boxed_slice());
                tokio::task::spawn_local(async move {
                    poll_fn(|cx| relay.poll(cx, &buffer, &mut ())).await;
                });
            }
        });
    });
    address
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn ways() -> [(&'static str, SocketAddr); 2] {
    let server = server();
    [("direct", server), ("relayed", relayed(server))]
}

fn small(criterion: &mut Criterion) {
    let mut group = group(criterion, "ping-pong of 64 bytes", Throughput::Elements(1));
    for (way, address) in ways() {
        let (mut stream, mut packet) = (connect(address), [0; PACKET]);
        group.bench_function(way, |bencher| {
            bencher.iter(|| {
                stream.write_all(&packet).unwrap();
                stream.read_exact(&mut packet).unwrap();
            });
        });
    }
}

fn bulk(criterion: &mut Criterion) {
    let mut group = group(criterion, "bulk of 32 MB", Throughput::Bytes(BULK as u64));
    for (way, address) in ways() {
        let (mut stream, mut window) = (connect(address), vec![0; 1 << 18]);
        group.bench_function(way, |bencher| {
            bencher.iter(|| {
                stream.write_all(&[1; PACKET]).unwrap();
                let mut left = BULK;
                while left > 0 {
                    let most = left.min(window.len());
                    left -= stream.read(&mut window[..most]).unwrap();
                }
            });
        });
    }
}

fn group<'a>(criterion: &'a mut Criterion, name: &str, unit: Throughput) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.throughput(unit);
    group
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = handshake, election, small, bulk
}
criterion_main!(benches);
