//! Closes a client's connection in order: what it is owed, then FIN, then a short wait for its own end. Closing a socket
//! with unread bytes would send RST, which can destroy an error that the client has not read yet (RFC 1122 4.2.2.13).

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a client may take to read what it is owed and to close.
const LINGER: Duration = Duration::from_secs(1);

/// Sends `last_words`, which may be empty, and closes.
pub async fn refuse(mut client: TcpStream, last_words: Vec<u8>) {
    // A client that is gone, or does not read, loses nothing by the error that is dropped here.
    let _ = timeout(LINGER, async {
        client.write_all(&last_words).await?;
        client.shutdown().await?;
        let mut waste = [0; 1024];
        while client.read(&mut waste).await? > 0 {}
        std::io::Result::Ok(())
    })
    .await;
}
