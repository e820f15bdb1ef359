//! Clients whose every step a test decides.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::mysql::{login, read_packet};
use super::wait::{DEADLINE, until};

/// A connection to the proxy that waits no longer than the deadline for anything.
pub fn connect(proxy: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(proxy).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// A client that is logged in.
pub struct Client(pub TcpStream);

impl Client {
    /// Logs in as `shop`.
    pub fn open(proxy: SocketAddr) -> Self {
        Self::served(connect(proxy))
    }

    /// Logs in as `shop` on a connection that is to be served, or is already.
    pub fn served(mut stream: TcpStream) -> Self {
        read_packet(&mut stream).unwrap();
        stream.write_all(&login("shop")).unwrap();
        read_packet(&mut stream).unwrap();
        Self(stream)
    }

    /// Sends so many bytes to a server that sends them back, and expects them.
    pub fn echo(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
        let mut back = vec![0; bytes.len()];
        self.0.read_exact(&mut back).unwrap();
        assert_eq!(back, bytes);
    }

    /// Expects that the connection ends, in order or not, without another byte.
    pub fn ends(&mut self) {
        let end = self.0.read(&mut [0]);
        assert!(matches!(end, Ok(0)) || is_reset(&end), "{end:?}");
    }

    /// Waits until a new client is refused.
    pub fn refused(proxy: SocketAddr) {
        until("new connections are refused", || TcpStream::connect(proxy).is_err().then_some(()));
    }
}

fn is_reset(end: &std::io::Result<usize>) -> bool {
    matches!(end, Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset)
}
