//! Owns a server that greets as MariaDB does, lets everybody in and says OK to everything: thousands of sessions on it
//! cost this machine next to nothing.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::wire::packet;

const BACKLOG: u32 = 4096;
pub(crate) const OK: [u8; 7] = [0, 0, 0, 2, 0, 0, 0];
const QUIT: u8 = 1;

/// The server; it ends when this is dropped.
pub(crate) struct Stub {
    address: SocketAddr,
    _serving: DropGuard,
}

impl Stub {
    /// Serves on this address.
    pub(crate) async fn start(address: SocketAddr) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address).with_context(|| format!("the stub server cannot listen on {address}"))?;
        let listener = socket.listen(BACKLOG)?;
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(accept(listener, stop.clone())));
        Ok(Self { address, _serving: stop.drop_guard() })
    }

    /// Its address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn accept(listener: TcpListener, stop: CancellationToken) {
    while let Ok((stream, _)) = listener.accept().await {
        // How a session ends matters to nobody.
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move { drop(serve(stream).await) }));
    }
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(&packet(0, &greeting())).await?;
    // Small: there is one a session. A login and the statements of the benchmarks fit.
    let mut buffer = [0; 256];
    let mut sequence = 2;
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 || (sequence == 1 && buffer[4] == QUIT) {
            return Ok(());
        }
        stream.write_all(&packet(sequence, &OK)).await?;
        sequence = 1;
    }
}

/// MariaDB 10.11's, with a nonce that is no secret.
pub(crate) fn greeting() -> Vec<u8> {
    let mut greeting =
        b"\x0a5.5.5-10.11.8-MariaDB\0\x2a\0\0\0abcdefgh\0\xfe\xff\x2d\x02\0\xff\x81\x15".to_vec();
    greeting.extend_from_slice(b"\0\0\0\0\0\0\x1d\0\0\0ijklmnopqrst\0mysql_native_password\0");
    greeting
}
