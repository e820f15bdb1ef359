//! Owns how scenarios connect to MariaDB: plain sessions, without a pool and without statements of the library's own.

use std::net::SocketAddr;
use std::path::Path;

use mysql_async::{Conn, Opts, OptsBuilder};

/// Connects as a user, without a default schema.
///
/// # Errors
/// What the library says: refused, broken off, or an error packet of the server or the proxy.
pub async fn connect(address: SocketAddr, user: &str, password: &str) -> mysql_async::Result<Conn> {
    Conn::new(options(address, user, password)).await
}

/// The options of [`connect`], for those who want more, for example a schema or TLS.
pub fn options(address: SocketAddr, user: &str, password: &str) -> OptsBuilder {
    plain(OptsBuilder::default())
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some(user))
        .pass(Some(password))
}

/// Connects as `root` over the server's socket.
///
/// # Errors
/// As [`connect`].
pub async fn connect_root(socket: &Path) -> mysql_async::Result<Conn> {
    let options = plain(OptsBuilder::default()).socket(Some(socket.to_string_lossy())).user(Some("root"));
    Conn::new(Opts::from(options)).await
}

fn plain(options: OptsBuilder) -> OptsBuilder {
    // The library asks the server for what is not set here, with a SELECT at connect; and it would hop from loopback to
    // the server's unix socket, past the proxy.
    options.prefer_socket(false).max_allowed_packet(Some(16 << 20)).wait_timeout(Some(28_800))
}
