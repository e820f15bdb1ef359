//! The statement that a session begins with: how it is said to a server between its OK to the login and the client's
//! first command, and what the answer means. Layouts are those of MariaDB's "Clients & Utilities" protocol documentation,
//! the compressed one included. Who says it, and what follows from the answer, is not here.

use crate::packet::{CLIENT_COMPRESSED, HEADER, ok_status};

/// The command that a statement is (`COM_QUERY`).
const QUERY: u8 = 3;
/// Bytes before what a compressed packet carries: its length, a sequence number, the length before compression.
const COMPRESSED_HEADER: usize = 7;
/// Status bit: another answer follows (`SERVER_MORE_RESULTS_EXISTS`).
const MORE_RESULTS: u16 = 8;
/// The longest answer that is waited for: an OK or an error is far below.
const LONGEST: usize = 16 * 1024;

/// How packets are framed once the client is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// As they are.
    Plain,
    /// Within packets that may be compressed, by zlib or by zstd.
    Compressed,
}

impl Framing {
    /// What client and server have agreed on, of their capability bits.
    #[must_use]
    pub fn agreed(server: u32, client: u32) -> Self {
        if server & client & CLIENT_COMPRESSED == 0 { Self::Plain } else { Self::Compressed }
    }
}

/// The statement as the server wants it. What is carried by a compressed packet need not be compressed, and is not.
#[must_use]
pub fn command(sql: &str, framing: Framing) -> Vec<u8> {
    let mut packet = length(sql.len() + 1).to_vec();
    packet.extend_from_slice(&[0, QUERY]);
    packet.extend_from_slice(sql.as_bytes());
    if framing == Framing::Plain {
        return packet;
    }
    let mut carried = length(packet.len()).to_vec();
    carried.extend_from_slice(&[0, 0, 0, 0]);
    carried.append(&mut packet);
    carried
}

fn length(bytes: usize) -> [u8; 3] {
    let [a, b, c, _] = (bytes as u32).to_le_bytes();
    [a, b, c]
}

/// What a server's answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Not all there yet.
    Incomplete,
    /// The statement was carried out, and nothing more is to come.
    Done,
    /// It was not, in the server's words.
    Refused(String),
    /// It is none that can be kept from the client, and why.
    Unusable(&'static str),
}

/// Reads what the server has said so far.
#[must_use]
pub fn answer(bytes: &[u8], framing: Framing) -> Answer {
    if bytes.len() > LONGEST {
        return Answer::Unusable("its answer is too long");
    }
    if framing == Framing::Plain {
        return plain(bytes);
    }
    let Some(&[a, b, c, _, x, y, z]) = bytes.first_chunk::<COMPRESSED_HEADER>() else {
        return Answer::Incomplete;
    };
    let end = COMPRESSED_HEADER + u32::from_le_bytes([a, b, c, 0]) as usize;
    match bytes.get(COMPRESSED_HEADER..end) {
        _ if end > LONGEST => Answer::Unusable("its answer is too long"),
        None => Answer::Incomplete,
        // An OK is too short for a server to compress.
        Some(_) if [x, y, z] != [0; 3] => Answer::Unusable("its answer is compressed, so it is no plain OK"),
        Some(_) if bytes.len() > end => Answer::Unusable("it has more than one answer"),
        Some(carried) => match plain(carried) {
            Answer::Incomplete => Answer::Unusable("its answer comes in pieces"),
            read => read,
        },
    }
}

fn plain(bytes: &[u8]) -> Answer {
    let Some(&[a, b, c, _]) = bytes.first_chunk::<HEADER>() else { return Answer::Incomplete };
    let end = HEADER + u32::from_le_bytes([a, b, c, 0]) as usize;
    if end > LONGEST {
        return Answer::Unusable("its answer is too long");
    }
    let Some(payload) = bytes.get(HEADER..end) else { return Answer::Incomplete };
    match payload.first() {
        Some(0xff) => Answer::Refused(words(payload)),
        Some(0) => match ok_status(bytes) {
            Some(status) if status & MORE_RESULTS == 0 => Answer::Done,
            _ => Answer::Unusable("it has more than one answer"),
        },
        Some(0xfb) => Answer::Unusable("it asks for a file"),
        _ => Answer::Unusable("it answers with rows"),
    }
}

/// An error packet in words, for people: its code and its text.
fn words(payload: &[u8]) -> String {
    let code = payload.get(1..3).map_or(0, |code| u16::from_le_bytes([code[0], code[1]]));
    let text = payload.get(3..).unwrap_or_default();
    // After a mark come five characters of SQLSTATE.
    let text = if text.first() == Some(&b'#') { text.get(6..).unwrap_or_default() } else { text };
    format!("error {code}: {}", String::from_utf8_lossy(text))
}

/// Takes the first packet off these bytes, with its header, if all of it is there.
pub fn take_packet(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let &[a, b, c, _] = bytes.first_chunk::<HEADER>()?;
    let end = HEADER + u32::from_le_bytes([a, b, c, 0]) as usize;
    if bytes.len() < end {
        return None;
    }
    let rest = bytes.split_off(end);
    Some(std::mem::replace(bytes, rest))
}
