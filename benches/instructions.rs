//! How many instructions the relay takes in user space, by valgrind's callgrind: small packets and bulk over loopback,
//! beside the same ends without a relay between them. The count is the same on every run, however busy the machine is;
//! what the kernel does is not in it. `make bench-instructions` runs it.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench is no library and may panic")]
#![allow(clippy::disallowed_methods, reason = "the main that gungraun makes exits by itself")]

use std::cell::RefCell;
use std::future::poll_fn;
use std::hint::black_box;

use capitana::proxy::relay::{BUFFER, Relay};
use gungraun::{library_benchmark, library_benchmark_group, main};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

/// A small query, and its answer.
const PACKET: usize = 64;
const QUERIES: usize = 1000;
const BULK: usize = 32 << 20;
const PIECE: usize = 256 << 10;

/// Two ends on one thread, connected.
struct Ends {
    runtime: LocalRuntime,
    client: TcpStream,
    server: TcpStream,
}

fn direct() -> Ends {
    let runtime = runtime();
    let (client, server) = runtime.block_on(connected());
    Ends { runtime, client, server }
}

/// As a worker runs it: one thread, one runtime, one buffer.
fn relayed() -> Ends {
    let runtime = runtime();
    let (client, server) = runtime.block_on(async {
        let (client, accepted) = connected().await;
        let (upstream, server) = connected().await;
        let mut relay = Relay::new(accepted, upstream, Vec::new());
        let buffer = RefCell::new(vec![0; BUFFER].into_boxed_slice());
        tokio::task::spawn_local(async move { poll_fn(|cx| relay.poll(cx, &buffer, &mut ())).await });
        (client, server)
    });
    Ends { runtime, client, server }
}

fn runtime() -> LocalRuntime {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap()
}

async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    dialled.set_nodelay(true).unwrap();
    accepted.set_nodelay(true).unwrap();
    (dialled, accepted)
}

// What runs is apart from what callgrind is told to count from: it stops counting where that is entered once more, as a
// closure of it would be.

async fn queries(ends: (&mut TcpStream, &mut TcpStream)) {
    let ((client, server), mut packet) = (ends, [7; PACKET]);
    for _ in 0..QUERIES {
        client.write_all(&packet).await.unwrap();
        server.read_exact(&mut packet).await.unwrap();
        server.write_all(&packet).await.unwrap();
        client.read_exact(&mut packet).await.unwrap();
    }
}

async fn bulk((client, server): (&mut TcpStream, &mut TcpStream)) {
    tokio::join!(write_bulk(server), read_bulk(client));
}

async fn write_bulk(to: &mut TcpStream) {
    let piece = vec![7; PIECE];
    for _ in 0..BULK / PIECE {
        to.write_all(&piece).await.unwrap();
    }
}

async fn read_bulk(from: &mut TcpStream) {
    let (mut window, mut left) = (vec![0; PIECE], BULK);
    while left > 0 {
        left -= from.read(&mut window).await.unwrap();
    }
}

#[library_benchmark]
#[bench::direct(direct())]
#[bench::relayed(relayed())]
fn a_thousand_small_queries(mut ends: Ends) -> Ends {
    ends.runtime.block_on(queries((&mut ends.client, &mut ends.server)));
    black_box(ends)
}

#[library_benchmark]
#[bench::direct(direct())]
#[bench::relayed(relayed())]
fn bulk_of_32_mb(mut ends: Ends) -> Ends {
    ends.runtime.block_on(bulk((&mut ends.client, &mut ends.server)));
    black_box(ends)
}

library_benchmark_group!(name = relay; benchmarks = a_thousand_small_queries, bulk_of_32_mb);
main!(library_benchmark_groups = relay);
