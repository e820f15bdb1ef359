//! Owns both ends of sessions through a proxy: a server that greets, lets everybody in, and hands its end of each session
//! to whoever opened the other.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::bench::stub;
use crate::scenario::raw::{Raw, login, packet};

/// How long a session may take to open on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where the name stands in the payload of a login.
const NAME: usize = 32;

/// Who waits for the server's end of a session, by the name it logs in with.
type Waiting = Arc<Mutex<HashMap<Vec<u8>, oneshot::Sender<TcpStream>>>>;

/// The server; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Pairs {
    waiting: Waiting,
    opened: AtomicUsize,
    _serving: DropGuard,
}

impl Pairs {
    /// Serves on this address.
    ///
    /// # Errors
    /// It is taken.
    pub(crate) async fn start(address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("the server cannot listen on {address}"))?;
        let (stop, waiting) = (CancellationToken::new(), Waiting::default());
        tokio::spawn(stop.clone().run_until_cancelled_owned(accept(listener, Arc::clone(&waiting))));
        Ok(Self { waiting, opened: AtomicUsize::new(0), _serving: stop.drop_guard() })
    }

    /// A session through `proxy` that has logged in: the client's end and the server's.
    ///
    /// # Errors
    /// It does not open within half a minute.
    pub(crate) async fn open(&self, proxy: SocketAddr) -> Result<(TcpStream, TcpStream)> {
        let name = format!("client{}", self.opened.fetch_add(1, Relaxed));
        let (sender, server) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone().into_bytes(), sender);
        let mut client = Raw::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), proxy).await?;
        client.0.set_nodelay(true)?;
        ensure!(client.packet().await?.first() == Some(&10), "no greeting comes");
        client.send(&login(&name, "mysql_native_password")).await?;
        ensure!(client.packet().await?.first() == Some(&0), "the server's OK does not come");
        let server = tokio::time::timeout(PATIENCE, server).await;
        Ok((client.0, server.context("the session has no other end")??))
    }
}

async fn accept(listener: TcpListener, waiting: Waiting) {
    while let Ok((stream, _)) = listener.accept().await {
        let waiting = Arc::clone(&waiting);
        // A session that breaks off in its handshake is missed by whoever waits for it.
        tokio::spawn(async move { drop(welcome(stream, &waiting).await) });
    }
}

async fn welcome(stream: TcpStream, waiting: &Waiting) -> Result<()> {
    let mut server = Raw(stream);
    server.0.set_nodelay(true)?;
    server.send(&packet(0, &stub::greeting())).await?;
    let login = server.packet().await?;
    let name = login.get(NAME..).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default();
    let waits = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    server.send(&packet(2, &stub::OK)).await?;
    if let Some(waits) = waits {
        // Whoever does not wait any more has said why.
        let _ = waits.send(server.0);
    }
    Ok(())
}
