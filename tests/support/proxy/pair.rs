//! Clients and servers in one test's hands, with the proxy between.

use std::io::Read;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::client::Client;
use super::daemon::{Proxy, Start};
use super::kernel::half_closed;
use super::stub::{Stub, accept_login};
use super::wait::{DEADLINE, until};

/// A server that lets clients in and hands each connection to the test.
pub fn handing_over() -> (Stub, Receiver<TcpStream>) {
    let (sender, receiver): (Sender<TcpStream>, _) = channel();
    let stub = Stub::new(move |stream| {
        if let Some(stream) = accept_login(stream) {
            let _ = sender.send(stream);
        }
    });
    (stub, receiver)
}

/// A client and the server it was led to, logged in.
pub fn pair() -> (Stub, Proxy, TcpStream, TcpStream) {
    let (stub, servers) = handing_over();
    let proxy = Start::to(stub.address).start();
    let client = Client::open(proxy.listen).0;
    let server = servers.recv_timeout(DEADLINE).unwrap();
    (stub, proxy, client, server)
}

/// Reads to the end, which must come in order.
pub fn read_all(mut from: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Waits until sessions and half-closed sockets are gone.
pub fn nothing_is_left(stub: &Stub, proxy: &Proxy) {
    proxy.has_sessions(0);
    until("no socket is half closed", || half_closed(&[stub.address, proxy.listen]).is_empty().then_some(()));
}
