//! PROXY headers: those that servers get, those that load balancers in front send, and those that nobody may send.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use support::{
    Client, DEADLINE, Proxy, Start, Stub, connect, error_of, greeting, login, metric, ok, read_packet,
};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A server that tells the first bytes it gets, so many of them, and then lets everybody in.
fn telling(first: usize) -> (Stub, Receiver<Vec<u8>>) {
    let (tell, told) = channel();
    let stub = Stub::new(move |mut stream| {
        let mut bytes = vec![0; first];
        stream.write_all(&greeting(42)).unwrap();
        if stream.read_exact(&mut bytes).is_ok() {
            let _ = tell.send(bytes);
        }
        if read_packet(&mut stream).is_ok() {
            let _ = stream.write_all(&ok());
            let _ = stream.read(&mut [0]);
        }
    });
    (stub, told)
}

fn v2(command: u8, source: &str, destination: &str) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    header.extend_from_slice(&[command, 0x11, 0, 12]);
    let [source, destination] = [source, destination].map(|a| a.parse::<SocketAddr>().unwrap());
    for address in [source, destination] {
        let SocketAddr::V4(address) = address else { panic!("{address} is not IPv4") };
        header.extend_from_slice(&address.ip().octets());
    }
    header.extend_from_slice(&source.port().to_be_bytes());
    header.extend_from_slice(&destination.port().to_be_bytes());
    header
}

/// A proxy that demands headers from the addresses of these tests.
fn demanding(stub: &Stub) -> Proxy {
    Start::to(stub.address).flag("--accept-proxy-protocol", "127.0.0.1").start()
}

/// Logs in behind `header` and leaves; the client's address as the log has it.
fn logged_address(proxy: &Proxy, header: &[u8]) -> String {
    let mut client = connect(proxy.listen);
    client.write_all(header).unwrap();
    read_packet(&mut client).unwrap();
    client.write_all(&login("shop")).unwrap();
    read_packet(&mut client).unwrap();
    drop(client);
    let line = proxy.log_line("session ended");
    line["client"].as_str().unwrap().to_owned()
}

fn refused(client: &mut TcpStream) -> (u16, String) {
    error_of(&read_packet(client).unwrap())
}

#[test]
fn a_server_is_told_the_clients_address_in_a_line() {
    let (stub, told) = telling("PROXY TCP4 127.0.0.1 127.66.".len());
    let proxy = Start::to(stub.address).flag("--proxy-protocol", "v1").start();
    let mut client = connect(proxy.listen);
    assert_eq!(read_packet(&mut client).unwrap(), greeting(42));
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), b"PROXY TCP4 127.0.0.1 127.66.");
}

#[test]
fn a_server_is_told_the_clients_address_in_the_binary_form() {
    let (stub, told) = telling(28);
    let proxy = Start::to(stub.address).flag("--proxy-protocol", "v2").start();
    let client = Client::open(proxy.listen);
    let own = client.0.local_addr().unwrap().to_string();
    let expected = v2(0x21, &own, &proxy.listen.to_string());
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), expected);
}

#[test]
fn a_server_is_told_what_the_balancer_in_front_told() {
    let (stub, told) = telling(28);
    let proxy = Start::to(stub.address)
        .flag("--proxy-protocol", "v2")
        .flag("--accept-proxy-protocol", "127.0.0.0/8")
        .start();
    let mut client = connect(proxy.listen);
    client.write_all(b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 3306\r\n").unwrap();
    read_packet(&mut client).unwrap();
    let expected = v2(0x21, "203.0.113.7:4711", "198.51.100.1:3306");
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), expected);
}

#[test]
fn the_address_in_a_line_is_the_clients() {
    let stub = Stub::echo();
    let proxy = demanding(&stub);
    let header = b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 3306\r\n";
    assert_eq!(logged_address(&proxy, header), "[2001:db8::7]:4711");
}

#[test]
fn the_address_in_the_binary_form_is_the_clients() {
    let stub = Stub::echo();
    let proxy = demanding(&stub);
    let header = v2(0x21, "203.0.113.7:4711", "198.51.100.1:3306");
    assert_eq!(logged_address(&proxy, &header), "203.0.113.7:4711");
}

#[test]
fn the_balancers_own_connections_have_its_own_address() {
    let stub = Stub::echo();
    for header in [v2(0x20, "203.0.113.7:4711", "198.51.100.1:3306"), b"PROXY UNKNOWN\r\n".to_vec()] {
        let proxy = demanding(&stub);
        let address = logged_address(&proxy, &header);
        assert!(address.starts_with("127.0.0.1:"), "{address}");
    }
}

#[test]
fn limits_of_a_client_are_those_of_the_address_in_the_header() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address)
        .flag("--accept-proxy-protocol", "127.0.0.1")
        .flag("--max-connections-per-client", "1")
        .start();
    let open = |source: &str| {
        let mut client = connect(proxy.listen);
        client.write_all(format!("PROXY TCP4 {source} 198.51.100.1 1 2\r\n").as_bytes()).unwrap();
        let first = read_packet(&mut client).unwrap();
        (client, first)
    };
    let _first = open("203.0.113.7");
    assert_eq!(open("203.0.113.8").1, greeting(42));
    assert_eq!(error_of(&open("203.0.113.7").1).0, 1040);
}

#[test]
fn who_has_to_send_a_header_and_does_not_is_refused() {
    let stub = Stub::echo();
    for sent in [
        &login("shop")[..],
        b"PROXY TCP4 nonsense\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n",
        &[b'P'; 200],
    ] {
        let proxy = demanding(&stub);
        let mut client = connect(proxy.listen);
        client.write_all(sent).unwrap();
        let (code, text) = refused(&mut client);
        assert_eq!(code, 1043);
        assert!(text.contains("accept-proxy-protocol"), "{text}");
        assert_eq!(proxy.log_line("session ended")["reason"], "proxy-header-missing");
    }
    assert_eq!(stub.accepted(), 0);
}

#[test]
fn half_a_header_is_waited_for_only_so_long() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address)
        .flag("--accept-proxy-protocol", "127.0.0.1")
        .flag("--handshake-timeout", "300ms")
        .start();
    let mut client = connect(proxy.listen);
    client.write_all(&v2(0x21, "203.0.113.7:4711", "198.51.100.1:3306")[..20]).unwrap();
    let (code, text) = refused(&mut client);
    assert_eq!(code, 1043);
    assert!(text.contains("in time"), "{text}");
}

#[test]
fn a_header_from_an_address_that_may_not_send_one_goes_nowhere() {
    for header in [b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n".to_vec(), v2(0x21, "10.0.0.1:1", "10.0.0.2:2")] {
        let (stub, told) = telling(5);
        let proxy = Start::to(stub.address).start();
        let mut client = connect(proxy.listen);
        client.write_all(&[&header[..], &login("shop")].concat()).unwrap();
        assert_eq!(read_packet(&mut client).unwrap(), greeting(42));
        let error = read_packet(&mut client).unwrap();
        assert_eq!(error[3..7], [2, 0xff, 19, 4]);
        assert_eq!(proxy.log_line("session ended")["reason"], "proxy-header-refused");
        let first = told.recv_timeout(DEADLINE).unwrap();
        assert_eq!(first[3], 1, "the server got {first:?}");
    }
}

#[test]
fn a_second_header_of_the_clients_own_goes_nowhere() {
    let (stub, told) = telling(28 + 4);
    let proxy = Start::to(stub.address).flag("--proxy-protocol", "v2").start();
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    client.write_all(&v2(0x21, "10.0.0.1:1", "10.0.0.2:2")).unwrap();
    read_packet(&mut client).unwrap();
    assert_eq!(proxy.log_line("session ended")["reason"], "proxy-header-refused");
    let first = told.recv_timeout(DEADLINE).unwrap();
    assert_eq!(first[16..20], [127, 0, 0, 1]);
    assert_eq!(first[31], 1, "the server got {first:?}");
    assert_eq!(metric(proxy.admin, "capitana_sessions_ended_total{reason=\"proxy-header-refused\"}"), 1.0);
}
