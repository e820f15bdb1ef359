//! Owns a network between two parts of a lab that can be cut and led elsewhere: a TCP forwarder.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What a read takes at most.
const CHUNK: usize = 64 << 10;

/// Leads connections on. Gone, with its connections, when dropped.
#[derive(Debug)]
pub struct Forwarder {
    path: watch::Sender<Path>,
    _task: JoinSet<()>,
}

/// Where connections lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Path {
    target: SocketAddr,
    /// Whether bytes pass.
    open: bool,
}

impl Forwarder {
    /// Listens on `address` and leads to `target`.
    ///
    /// # Errors
    /// The address is taken.
    pub async fn start(address: SocketAddr, target: SocketAddr) -> Result<Self> {
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        Ok(Self::lead(listener, target))
    }

    /// Leads those that come to `listener` to `target`, also out of another network namespace.
    pub fn lead(listener: TcpListener, target: SocketAddr) -> Self {
        let (path, watched) = watch::channel(Path { target, open: true });
        let mut task = JoinSet::new();
        task.spawn(accept(listener, watched));
        Self { path, _task: task }
    }

    /// As when a cable is pulled: connections stay, nothing passes any more.
    pub fn cut(&self) {
        self.path.send_modify(|path| path.open = false);
    }

    /// The cable is in again: what waited on either side passes.
    pub fn heal(&self) {
        self.path.send_modify(|path| path.open = true);
    }

    /// Ends all connections; new ones lead to `target`.
    pub fn lead_to(&self, target: SocketAddr) {
        self.path.send_modify(|path| path.target = target);
    }
}

async fn accept(listener: TcpListener, path: watch::Receiver<Path>) {
    let mut connections = JoinSet::new();
    loop {
        if let Ok((client, _)) = listener.accept().await {
            connections.spawn(forward(client, path.clone()));
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Ends with the connection, or when it is to lead elsewhere.
async fn forward(client: TcpStream, mut path: watch::Receiver<Path>) {
    if path.wait_for(|path| path.open).await.is_err() {
        return;
    }
    let target = path.borrow().target;
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (client_reads, client_writes) = client.into_split();
    let (server_reads, server_writes) = server.into_split();
    let (one_way, other_way) = (path.clone(), path.clone());
    let elsewhere = async {
        // The sender is gone: so is the forwarder.
        let _ = path.wait_for(|path| path.target != target).await;
    };
    tokio::select! {
        () = elsewhere => {}
        () = copy(client_reads, server_writes, one_way) => {}
        () = copy(server_reads, client_writes, other_way) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut path: watch::Receiver<Path>) {
    let mut chunk = vec![0; CHUNK];
    loop {
        // The end of a connection does not get through a cut cable either.
        let Ok(read) = from.read(&mut chunk).await else { return };
        if path.wait_for(|path| path.open).await.is_err() {
            return;
        }
        if read == 0 || to.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Long enough for bytes on loopback, and no more.
    const WAIT: Duration = Duration::from_millis(200);

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    async fn free() -> SocketAddr {
        listener().await.1
    }

    #[tokio::test]
    async fn what_is_sent_through_a_cut_forwarder_arrives_when_it_is_healed() {
        let (server, target) = listener().await;
        let address = free().await;
        let forwarder = Forwarder::start(address, target).await.unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        let (mut accepted, _) = server.accept().await.unwrap();
        forwarder.cut();
        client.write_all(b"x").await.unwrap();
        assert!(tokio::time::timeout(WAIT, accepted.read_u8()).await.is_err());
        forwarder.heal();
        assert_eq!(accepted.read_u8().await.unwrap(), b'x');
    }

    #[tokio::test]
    async fn leading_elsewhere_ends_what_is_there() {
        let ((one, first), (other, second)) = (listener().await, listener().await);
        let address = free().await;
        let forwarder = Forwarder::start(address, first).await.unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        let _accepted = one.accept().await.unwrap();
        forwarder.lead_to(second);
        assert!(client.read_u8().await.is_err());
        let _client = TcpStream::connect(address).await.unwrap();
        other.accept().await.unwrap();
    }
}
