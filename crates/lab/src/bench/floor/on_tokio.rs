//! The same on tokio: one task a client, which dials and copies both ways (`copy_bidirectional`), and nothing else. What a
//! proxy costs beyond it is the proxy's doing, what it costs beyond the other floor is tokio's.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::spawn_local;

/// Relays on one thread until the process is ended.
pub(super) fn serve(address: SocketAddr, upstream: SocketAddr) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build_local(LocalOptions::default())?;
    runtime.block_on(async move {
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot bind {address}"))?;
        loop {
            let (client, _) = listener.accept().await?;
            // A client that cannot be served is closed: that is all its load has to see.
            drop(spawn_local(async move { drop(relay(client, upstream).await) }));
        }
    })
}

#[expect(clippy::disallowed_methods, reason = "its memory is not what is measured")]
async fn relay(mut client: TcpStream, upstream: SocketAddr) -> std::io::Result<(u64, u64)> {
    client.set_nodelay(true)?;
    let mut server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut server).await
}
