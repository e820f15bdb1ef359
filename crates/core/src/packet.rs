//! The few MySQL packets capitana builds or reads: an error packet, the server's greeting, the client's login.
//! Layouts are those of MariaDB's "Clients & Utilities: connecting" protocol documentation. Bytes that pass between
//! client and server are never rebuilt from what is read here.

use std::borrow::Cow;

use crate::Role;

/// Bytes before each packet's payload: three of length, one of sequence.
pub const HEADER: usize = 4;
/// Capability bit: the client asks for TLS.
pub const CLIENT_SSL: u32 = 1 << 11;
/// Capability bits: packets are compressed after the handshake, by zlib or by zstd.
pub const CLIENT_COMPRESSED: u32 = 1 << 5 | 1 << 26;
/// Capability bit: the protocol of MySQL 4.1 and later.
pub const CLIENT_PROTOCOL_41: u32 = 1 << 9;
/// The length of a login's fixed part, which alone is the request for TLS.
const LOGIN_FIXED: usize = 32;

/// `ER_CON_COUNT_ERROR`, what MariaDB itself says when it is full.
pub const TOO_MANY_CONNECTIONS: u16 = 1040;
/// `ER_SERVER_SHUTDOWN`: pools know it as the loss of a server, and try again. The codes of the client libraries' own
/// (2000 to 2999, such as 2003 for a refused connection) cannot be sent: MariaDB's C connector takes a packet with one
/// for a malformed one and hides its text.
pub const NO_PRIMARY: u16 = 1053;

/// `ER_CONNECTION_KILLED`, MariaDB's own word for a session that was ended from outside.
pub const CONNECTION_KILLED: u16 = 1927;

/// An error packet for a client that has not seen a greeting yet: sequence 0 and, in that phase, no SQLSTATE marker,
/// as the client's capabilities are not known.
#[must_use]
pub fn error_before_greeting(code: u16, message: &str) -> Vec<u8> {
    let text: String = message.chars().take(400).collect();
    let mut payload = vec![0xff];
    payload.extend_from_slice(&code.to_le_bytes());
    payload.extend_from_slice(text.as_bytes());
    framed(0, &payload)
}

/// What a client whose command will not be answered is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastWord {
    /// The command never left the proxy.
    NotSent,
    /// The command went to the server, and nobody knows what became of it.
    OutcomeUnknown,
}

impl LastWord {
    /// The answer to a command of one packet on a session of this role: an error with sequence 1. Its SQLSTATE says what may be done: 08S01 is a
    /// lost connection, 08007 is SQL's own "transaction resolution unknown" (ISO 9075-2).
    #[must_use]
    pub fn packet(self, role: Role) -> Vec<u8> {
        let (code, state, text) = match self {
            Self::NotSent => (
                NO_PRIMARY,
                "08S01",
                match role {
                    Role::Primary => "capitana: the primary changed before this statement was sent. It is safe to send it again.",
                    Role::Replica => "capitana: this replica serves no more, and this statement was not sent. It is safe to send it again.",
                }.to_owned(),
            ),
            Self::OutcomeUnknown => (
                CONNECTION_KILLED,
                "08007",
                format!(
                    "capitana: the {role} was lost before it answered. Whether this statement was carried out is not \
                     known: look before it is sent again."
                ),
            ),
        };
        let mut payload = vec![0xff];
        payload.extend_from_slice(&u16::to_le_bytes(code));
        payload.push(b'#');
        payload.extend_from_slice(state.as_bytes());
        payload.extend_from_slice(text.as_bytes());
        framed(1, &payload)
    }
}

/// Whether these bytes, the first of the client's since the server spoke, are one whole command: then the server owes one
/// answer, which begins with sequence 1.
#[must_use]
pub fn is_whole_command(bytes: &[u8]) -> bool {
    match bytes {
        [a, b, c, 0, _command, ..] => u32::from_le_bytes([*a, *b, *c, 0]) as usize == bytes.len() - HEADER,
        _ => false,
    }
}

/// Whether these bytes, the first of the client's since the server spoke, take its leave (`COM_QUIT`): the server's answer
/// is that it closes.
#[must_use]
pub fn is_quit(bytes: &[u8]) -> bool {
    bytes == [1, 0, 0, 0, 1]
}

/// Status bit: the session is in a transaction (`SERVER_STATUS_IN_TRANS`).
pub const STATUS_IN_TRANSACTION: u16 = 1;

/// The status bits, if these bytes are one whole OK packet that answers a command of one packet, and nothing else. Other
/// bytes may look alike under TLS or compression: the answer is a hint to be careful, never to be bold.
#[must_use]
pub fn ok_status(bytes: &[u8]) -> Option<u16> {
    let &[a, b, c, 1, 0, ref rest @ ..] = bytes else { return None };
    if u32::from_le_bytes([a, b, c, 0]) as usize != bytes.len() - HEADER {
        return None;
    }
    let rest = skip_length_encoded(skip_length_encoded(rest)?)?;
    Some(u16::from_le_bytes(*rest.first_chunk()?))
}

/// Skips one length-encoded integer: one byte below 251, else a mark and two, three or eight bytes.
fn skip_length_encoded(bytes: &[u8]) -> Option<&[u8]> {
    let length = match bytes.first()? {
        0xfc => 3,
        0xfd => 4,
        0xfe => 9,
        _ => 1,
    };
    bytes.get(length..)
}

fn framed(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(HEADER + payload.len());
    packet.extend_from_slice(&(payload.len() as u32).to_le_bytes()[..3]);
    packet.push(sequence);
    packet.extend_from_slice(payload);
    packet
}

/// What the server's greeting shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting<'a> {
    /// The id of the server's thread, as in its process list.
    pub thread_id: u32,
    /// The server's version text.
    pub version: Cow<'a, str>,
    /// The lower 32 capability bits.
    pub capabilities: u32,
}

impl<'a> Greeting<'a> {
    /// Reads a greeting's payload. None if it is not one of protocol 10.
    #[must_use]
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        let rest = payload.strip_prefix(&[10])?;
        let end = rest.iter().position(|b| *b == 0)?;
        let version = text(&rest[..end]);
        let rest = &rest[end + 1..];
        let thread_id = u32::from_le_bytes(rest.get(..4)?.try_into().ok()?);
        // Eight bytes of nonce and a zero, then the capabilities in two halves around character set and status.
        let low = rest.get(13..15)?;
        let high = rest.get(18..20).unwrap_or(&[0, 0]);
        let capabilities = u32::from_le_bytes([low[0], low[1], high[0], high[1]]);
        Some(Self { thread_id, version, capabilities })
    }
}

/// What the client's first packet shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login<'a> {
    /// It asks for TLS; what follows cannot be read.
    Tls {
        /// The client's capability bits.
        capabilities: u32,
    },
    /// It logs in, in the clear.
    Plain {
        /// The client's capability bits.
        capabilities: u32,
        /// The account's user name.
        user: Cow<'a, str>,
    },
}

impl<'a> Login<'a> {
    /// Reads a login's payload. None if it is not one of the 4.1 protocol.
    #[must_use]
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        let capabilities = u32::from_le_bytes(payload.get(..4)?.try_into().ok()?);
        if capabilities & CLIENT_PROTOCOL_41 == 0 || payload.len() < LOGIN_FIXED {
            return None;
        }
        if payload.len() == LOGIN_FIXED {
            return (capabilities & CLIENT_SSL != 0).then_some(Self::Tls { capabilities });
        }
        let name = &payload[LOGIN_FIXED..];
        let end = name.iter().position(|b| *b == 0)?;
        Some(Self::Plain { capabilities, user: text(&name[..end]) })
    }
}

/// What is no text becomes one. Nearly all of it is, which is found out faster by itself.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}
