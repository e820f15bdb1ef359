//! Ends handshakes whose clients have vanished. MariaDB counts one that breaks off against the address it came from,
//! the proxy's, and blocks it after `max_connect_errors` (error 1129); a login that it denies does not count. So the
//! client's part is played to that end: a login of nobody, empty answers to what a plugin asks.

use std::time::Duration;

use capitana_core::opening::answer;
use capitana_core::packet::HEADER;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::waiting::Place;
use super::worker::Worker;

/// A server answers a login within milliseconds; it waits itself for 10 s (`connect_timeout`).
const PATIENCE: Duration = Duration::from_secs(2);
/// Partings under way at once on all threads; more wait, their connections open.
pub const AT_ONCE: usize = 128;
/// The longest packet of a server during a handshake.
const LONGEST: usize = 64 * 1024;

/// A handshake to be ended.
pub struct Parting {
    /// The connection to the server.
    pub upstream: TcpStream,
    /// Its place there, kept to the end.
    pub place: Place,
    /// What the server waits for; nothing if it is its turn.
    pub say: Vec<u8>,
}

/// Ends a handshake, beside the session it was for.
pub fn part(worker: &Worker, parting: Parting) {
    let shared = std::sync::Arc::clone(&worker.shared);
    worker.linger(async move {
        let _permit = shared.partings.acquire().await;
        let Parting { mut upstream, place, say } = parting;
        let ended = timeout(PATIENCE, converse(&mut upstream, say)).await;
        let metrics = &shared.metrics;
        match ended {
            Ok(Ok(())) => metrics.partings_ended.inc(),
            // The server closed first, or does not answer any more: there is nothing to count.
            Ok(Err(_)) | Err(_) => metrics.partings_broken.inc(),
        }
        drop(upstream);
        drop(place);
    });
}

async fn converse(upstream: &mut TcpStream, say: Vec<u8>) -> std::io::Result<()> {
    upstream.write_all(&say).await?;
    let mut packet = vec![0; HEADER];
    loop {
        packet.resize(HEADER, 0);
        upstream.read_exact(&mut packet).await?;
        let length = u32::from_le_bytes([packet[0], packet[1], packet[2], 0]) as usize;
        packet.resize(HEADER + length.min(LONGEST), 0);
        upstream.read_exact(&mut packet[HEADER..]).await?;
        let Some(answer) = answer(&packet) else { return Ok(()) };
        upstream.write_all(&answer).await?;
    }
}
