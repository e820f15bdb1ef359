//! The client's first packet, judged before a byte of it goes to a server, and what is said to a server in the place of
//! a client that has vanished. MariaDB counts a handshake as interrupted, and blocks the address it came from after
//! `max_connect_errors` of them, when it ends before a well-formed login or without the answer to a question of an
//! authentication plugin; a login that is merely denied does not count (measured on 10.11).

use crate::packet::{CLIENT_PROTOCOL_41, HEADER, Login};

/// `ER_HANDSHAKE_ERROR`, what MariaDB says of a login it cannot read.
pub const BAD_HANDSHAKE: u16 = 1043;

/// The user of logins in the place of a client that has vanished, as it appears in the server's log.
pub const VANISHED: &str = "capitana-client-vanished";

/// Logins are below 1 KB and connection attributes below 64 KB.
const MAX_LOGIN: usize = 96 * 1024;
const CLIENT_CONNECT_WITH_DB: u32 = 1 << 3;
const CLIENT_SECURE_CONNECTION: u32 = 1 << 15;
const CLIENT_PLUGIN_AUTH: u32 = 1 << 19;
const CLIENT_PLUGIN_AUTH_LENENC: u32 = 1 << 21;
/// The fixed part of a login: capabilities, packet size, character set, 23 bytes reserved.
const LOGIN_FIXED: usize = 32;
/// The beginning of a TLS client's first record: a handshake of version 3.
const CLIENT_HELLO: [u8; 2] = [0x16, 3];

/// What the client's first bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// Not all there yet.
    Incomplete,
    /// A login, or a request for TLS with the beginning of it, that a server can read.
    Sound,
    /// The beginning of a PROXY header, which would let the client choose its address.
    ProxyHeader,
    /// Nothing of MySQL's.
    Malformed,
}

/// Judges what the client has sent so far.
#[must_use]
pub fn judge(bytes: &[u8]) -> First {
    let Some(&[a, b, c, sequence]) = bytes.first_chunk::<HEADER>() else { return First::Incomplete };
    if bytes.starts_with(b"PROX") || bytes.starts_with(b"\r\n\r\n") {
        return First::ProxyHeader;
    }
    let length = u32::from_le_bytes([a, b, c, 0]) as usize;
    if sequence != 1 || !(LOGIN_FIXED..=MAX_LOGIN).contains(&length) {
        return First::Malformed;
    }
    let Some(payload) = bytes.get(HEADER..HEADER + length) else { return First::Incomplete };
    match Login::read(payload) {
        Some(Login::Tls { .. }) => judge_tls(&bytes[HEADER + length..]),
        Some(Login::Plain { capabilities, .. }) if is_whole(payload, capabilities) => First::Sound,
        _ => First::Malformed,
    }
}

fn judge_tls(bytes: &[u8]) -> First {
    match bytes.first_chunk::<2>() {
        None => First::Incomplete,
        Some(start) if *start == CLIENT_HELLO => First::Sound,
        Some(_) => First::Malformed,
    }
}

/// Whether user, answer, schema and plugin lie within the packet, as the server will look for them.
fn is_whole(payload: &[u8], capabilities: u32) -> bool {
    let has = |bit| capabilities & bit != 0;
    let after_user = payload.get(LOGIN_FIXED..).and_then(skip_text);
    let after_answer = after_user.and_then(|rest| match rest.first() {
        _ if !has(CLIENT_SECURE_CONNECTION) && !has(CLIENT_PLUGIN_AUTH_LENENC) => skip_text(rest),
        Some(&length) if length < 0xfb || !has(CLIENT_PLUGIN_AUTH_LENENC) => {
            rest.get(1 + usize::from(length)..)
        }
        Some(0xfc) => rest.get(3 + usize::from(u16::from_le_bytes([*rest.get(1)?, *rest.get(2)?]))..),
        _ => None,
    });
    let after_schema =
        after_answer.and_then(|rest| if has(CLIENT_CONNECT_WITH_DB) { skip_text(rest) } else { Some(rest) });
    after_schema.is_some_and(|rest| !has(CLIENT_PLUGIN_AUTH) || skip_text(rest).is_some())
}

fn skip_text(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    bytes.get(end + 1..)
}

/// A login that the server will read and deny: for a handshake whose client has not sent one.
#[must_use]
pub fn vanished() -> Vec<u8> {
    let capabilities = CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH;
    let mut payload = capabilities.to_le_bytes().to_vec();
    payload.extend_from_slice(&(1u32 << 24).to_le_bytes());
    // utf8mb4_general_ci, and what is reserved.
    payload.push(45);
    payload.extend_from_slice(&[0; 23]);
    payload.extend_from_slice(VANISHED.as_bytes());
    // An answer of the right length that fits no password.
    payload.extend_from_slice(&[0, 20]);
    payload.extend_from_slice(&[0x2a; 20]);
    payload.extend_from_slice(b"mysql_native_password\0");
    packet(1, &payload)
}

/// The rest of a packet of which a server has been sent only `sent`, filled with zeros; a whole empty packet if that is
/// nothing.
#[must_use]
pub fn complete(sent: &[u8], sequence: u8) -> Vec<u8> {
    let mut whole = sent.to_vec();
    while whole.len() < HEADER {
        whole.push(if whole.len() + 1 == HEADER { sequence } else { 0 });
    }
    let length = u32::from_le_bytes([whole[0], whole[1], whole[2], 0]) as usize;
    whole.resize(HEADER + length, 0);
    whole.split_off(sent.len())
}

/// What is to be answered to a server's packet after the login, with its header, so that it comes to its end. None: it
/// has.
#[must_use]
pub fn answer(packet: &[u8]) -> Option<Vec<u8>> {
    match (packet.get(3), packet.get(HEADER)) {
        (Some(sequence), Some(0xfe | 1)) => Some(self::packet(sequence.wrapping_add(1), &[])),
        // Let in after all: COM_QUIT.
        (_, Some(0)) => Some(self::packet(0, &[1])),
        // A greeting that has not been read yet.
        (_, Some(10)) => Some(Vec::new()),
        _ => None,
    }
}

/// An error packet for a client that has been greeted.
#[must_use]
pub fn error_after_greeting(code: u16, state: &str, message: &str, sequence: u8) -> Vec<u8> {
    let text: String = message.chars().take(400).collect();
    let mut payload = vec![0xff];
    payload.extend_from_slice(&code.to_le_bytes());
    payload.extend_from_slice(format!("#{state}{text}").as_bytes());
    packet(sequence, &payload)
}

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_le_bytes()[..3].to_vec();
    bytes.push(sequence);
    bytes.extend_from_slice(payload);
    bytes
}
