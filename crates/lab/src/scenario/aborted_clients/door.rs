//! Owns a door to a server: connections through it come from an address of their own. On one machine a proxy's would come
//! from 127.0.0.1, which is the one address MariaDB never blocks.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// Shut when it is dropped.
#[derive(Debug)]
pub(super) struct Door {
    /// Where it is.
    pub(super) address: SocketAddr,
    /// Where the server sees connections come from.
    pub(super) source: Ipv4Addr,
    _task: JoinSet<()>,
}

impl Door {
    /// A door at `host` to the server.
    ///
    /// # Errors
    /// The address is taken.
    pub(super) async fn open(host: Ipv4Addr, source: Ipv4Addr, server: SocketAddr) -> Result<Self> {
        let address = SocketAddr::from((host, server.port()));
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                if let Ok((client, _)) = listener.accept().await {
                    connections.spawn(pass(client, source, server));
                }
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, source, _task: task })
    }
}

/// Ends one side when the other has ended, and one direction when the other end of it has.
#[expect(clippy::disallowed_methods, reason = "a few connections in a lab: its memory does not matter")]
async fn pass(mut client: TcpStream, source: Ipv4Addr, server: SocketAddr) {
    let connect = async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((source, 0)))?;
        socket.connect(server).await
    };
    if let Ok(mut server) = connect.await {
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}
