//! Servers whose every step a test decides.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

use super::address::free_listener;
use super::mysql::{greeting, ok, read_packet};
use super::wait::DEADLINE;

/// A server on an address of its own, until it is dropped. Each connection has a thread.
pub struct Stub {
    /// Where it listens.
    pub address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Stub {
    /// A server that does `serve` with each connection, and closes it when that returns.
    pub fn new(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Self::behind(free_listener(), serve)
    }

    /// The same on an address that is known already.
    pub fn on(address: SocketAddr, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Self::behind(TcpListener::bind(address).unwrap(), serve)
    }

    /// The same on a listener that is bound already.
    pub fn behind(listener: TcpListener, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let stub = Self { address, accepted: Arc::default(), stop: Arc::default() };
        let (accepted, stop, serve) = (Arc::clone(&stub.accepted), Arc::clone(&stub.stop), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(SeqCst) {
                    return;
                }
                accepted.fetch_add(1, SeqCst);
                let (stream, serve) = (stream.unwrap(), Arc::clone(&serve));
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                stream.set_write_timeout(Some(DEADLINE)).unwrap();
                thread::spawn(move || serve(stream));
            }
        });
        stub
    }

    /// A server that lets everybody in and sends back what it gets.
    pub fn echo() -> Self {
        Self::new(|stream| {
            if let Some(mut stream) = accept_login(stream) {
                let mut back = stream.try_clone().unwrap();
                let _ = std::io::copy(&mut stream, &mut back);
                let _ = back.shutdown(Shutdown::Both);
            }
        })
    }

    /// Connections so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(SeqCst)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// Greets and lets in. None if the client went before that.
pub fn accept_login(mut stream: TcpStream) -> Option<TcpStream> {
    stream.write_all(&greeting(42)).ok()?;
    read_packet(&mut stream).ok()?;
    stream.write_all(&ok()).ok()?;
    Some(stream)
}
