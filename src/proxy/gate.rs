//! Between the server's greeting and the relay: greets the client and lets nothing go to the server before the client
//! has sent a login that a server can read. What else comes (port scans, other protocols, a PROXY header that would let
//! the client choose its address) ends here.

use capitana_core::EndReason;
use capitana_core::opening::{BAD_HANDSHAKE, First, error_after_greeting, judge};
use capitana_core::packet::HEADER;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::begun::Begun;
use super::deadlines::{Alarm, Late};
use super::hold::Refusal;
use super::leash::Leash;
use super::peek::peek;

/// The first byte of a greeting's payload: the protocol's version.
const PROTOCOL: u8 = 10;
/// The longest greeting of a server's is well below this.
const GREETING: usize = 4096;

/// Greets the client and gives its login. Nothing if the server's word was no greeting: it is passed on as it is.
///
/// # Errors
/// No login came, or something else.
pub async fn introduce(
    leash: &Leash,
    client: &mut TcpStream,
    begun: &mut Begun,
    alarm: &mut Alarm,
) -> Result<Vec<u8>, Refusal> {
    let introduced = async {
        if !greet(client, begun).await? {
            return Ok(Vec::new());
        }
        tokio::select! {
            biased;
            login = read_login(client) => login,
            () = speaks(begun) => Err(Refusal::silent(EndReason::UpstreamClosed)),
        }
    };
    tokio::select! {
        biased;
        reason = leash.ended() => Err(Refusal::silent(reason)),
        introduced = alarm.limit(introduced) => {
            introduced.unwrap_or_else(|Late| Err(Refusal::silent(EndReason::HandshakeTimeout)))
        }
    }
}

/// Passes the greeting on, in the pieces in which it comes. False: it is none.
async fn greet(client: &mut TcpStream, begun: &mut Begun) -> Result<bool, Refusal> {
    let mut sent = 0;
    loop {
        let greeted = client.write_all(&begun.greeting[sent..]).await;
        greeted.map_err(|error| Refusal::silent(EndReason::ClientError).because(&error))?;
        sent = begun.greeting.len();
        if let Some(is_greeting) = judge_greeting(&begun.greeting) {
            return Ok(is_greeting);
        }
        let more = begun.read_more().await;
        if more.map_err(|error| Refusal::silent(EndReason::UpstreamError).because(&error))? == 0 {
            return Ok(false);
        }
    }
}

/// Whether it is a greeting; none if that cannot be said yet.
fn judge_greeting(bytes: &[u8]) -> Option<bool> {
    let &[a, b, c, _, protocol, ..] = bytes else { return None };
    let whole = HEADER + u32::from_le_bytes([a, b, c, 0]) as usize;
    if protocol != PROTOCOL || whole > GREETING {
        return Some(false);
    }
    (bytes.len() >= whole).then_some(true)
}

async fn read_login(client: &mut TcpStream) -> Result<Vec<u8>, Refusal> {
    let mut login = Vec::with_capacity(256);
    loop {
        match client.read_buf(&mut login).await {
            Ok(0) => return Err(Refusal::silent(EndReason::ClientClosed)),
            Ok(_) => {}
            Err(error) => return Err(Refusal::silent(EndReason::ClientError).because(&error)),
        }
        match judge(&login) {
            First::Incomplete => {}
            First::Sound => return Ok(login),
            First::ProxyHeader => {
                let text =
                    "capitana: a PROXY header is not accepted from this address (accept-proxy-protocol).";
                return Err(refused(EndReason::ProxyHeaderRefused, text));
            }
            First::Malformed => {
                return Err(refused(
                    EndReason::BadHandshake,
                    "capitana: this is not the login of a MySQL client.",
                ));
            }
        }
    }
}

fn refused(reason: EndReason, text: &str) -> Refusal {
    let packet = error_after_greeting(BAD_HANDSHAKE, "08S01", text, 2);
    Refusal { reason, packet, cause: Some(text.to_owned()) }
}

/// Completes when the server says something before it is its turn: it has no more patience.
async fn speaks(begun: &mut Begun) {
    if let Some(stream) = begun.stream() {
        let _ = peek(stream).await;
    }
}
