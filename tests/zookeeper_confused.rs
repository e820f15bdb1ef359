//! How a session is opened with a server whose answers come in the wrong order, as those of ZooKeeper under Netty can.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use std::{fs, thread};

use capitana::config::{Secret, ZooKeeperAccess};
use capitana::control::{Coordinator, ZooKeeperConnector};
use tempfile::TempDir;

const SESSION: i64 = 7;
const TIMEOUT: i32 = 6000;

/// A server that says that the user is known before it says that there is a session, to the first so many clients.
struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn start(confused: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let count = Arc::clone(&count);
                thread::spawn(move || serve(stream.unwrap(), confused, &count));
            }
        });
        Self { address, asked }
    }

    async fn session(&self) -> Result<i64, String> {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("auth");
        fs::write(&file, "capitana:word\n").unwrap();
        let access = ZooKeeperAccess { auth: Some(Secret::File(file)), tls: None };
        let connector = ZooKeeperConnector::new(self.address.to_string(), Duration::from_secs(6));
        let opened = connector.with_access(access).connect().await;
        opened.map(|session| session.session_id()).map_err(|error| error.cause)
    }
}

fn serve(mut stream: TcpStream, confused: usize, asked: &AtomicUsize) {
    let mut first = [0; 4];
    stream.read_exact(&mut first).unwrap();
    if &first == b"ruok" {
        stream.write_all(b"imok").unwrap();
        return;
    }
    skip(&mut stream, first);
    // The user is shown without waiting for the session. The answer has the number of the request.
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let user = skip(&mut stream, length);
    let session = [0, TIMEOUT].map(i32::to_be_bytes).concat();
    let session = [&session[..], &SESSION.to_be_bytes(), &16i32.to_be_bytes(), &[0; 16], &[0]].concat();
    let known = [&user[..4], &[0; 12]].concat();
    let answers = if asked.fetch_add(1, SeqCst) < confused { [known, session] } else { [session, known] };
    for answer in answers {
        stream.write_all(&framed(&answer)).unwrap();
    }
    while stream.read_exact(&mut length).is_ok() {
        let request = skip(&mut stream, length);
        if request.starts_with(&(-2i32).to_be_bytes()) {
            let pong = [&(-2i32).to_be_bytes()[..], &[0; 12]].concat();
            stream.write_all(&framed(&pong)).unwrap();
        }
    }
}

/// The rest of a packet of this length.
fn skip(stream: &mut TcpStream, length: [u8; 4]) -> Vec<u8> {
    let mut packet = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut packet).unwrap_or_default();
    packet
}

fn framed(packet: &[u8]) -> Vec<u8> {
    [&(packet.len() as i32).to_be_bytes()[..], packet].concat()
}

#[tokio::test]
async fn a_server_that_acknowledges_the_user_before_the_session_is_asked_again() {
    let server = Server::start(2);
    assert_eq!(server.session().await, Ok(SESSION));
    assert_eq!(server.asked.load(SeqCst), 3);
}

#[tokio::test]
async fn a_server_that_never_opens_a_session_is_not_asked_for_ever() {
    let server = Server::start(usize::MAX);
    let cause = server.session().await.unwrap_err();
    assert!(cause.contains("answers and opens no session"), "{cause}");
    assert_eq!(server.asked.load(SeqCst), 3);
}
