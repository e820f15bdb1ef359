//! Reads along while client and server shake hands, without altering a byte. It owns what was learned and the stage
//! the two are in; what it does not understand makes it blind (`Stage::Opaque`), never wrong. Bytes after the
//! handshake are not looked at.

use std::borrow::Cow;

use crate::opening;
use crate::packet::{CLIENT_COMPRESSED, Greeting, HEADER, Login};

/// The longest handshake packet that is read along. MariaDB's are below 1 KB; a login's connection attributes may
/// take up to 64 KB, of which only the beginning is of interest.
const MAX_PACKET: usize = 16 * 1024;

/// The longest user name that is kept: MariaDB's USERNAME_CHAR_LENGTH. A client may send any.
const MAX_USER: usize = 128;

/// How far the two have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The server has not finished its greeting.
    Greeting,
    /// The client has not finished its login.
    Login,
    /// The server has not decided on the login.
    Authentication,
    /// The client is in.
    Open,
    /// The server sent an error instead.
    Refused,
    /// What passes cannot be read: TLS, or something unknown.
    Opaque,
}

/// What was learned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// The id of the server's thread.
    pub thread_id: Option<u32>,
    /// The client's capability bits.
    pub capabilities: Option<u32>,
    /// The account's user name, cut to 128 characters; not known under TLS.
    pub user: Option<String>,
    /// Whether the client asked for TLS.
    pub tls: bool,
    /// Whether the client was let in, and what follows are packets in the clear.
    pub readable: bool,
}

/// One handshake, read along.
#[derive(Debug)]
pub struct Handshake {
    stage: Stage,
    seen: Seen,
    server: Packets,
    client: Packets,
    /// The server spoke last.
    asked: bool,
}

impl Default for Handshake {
    fn default() -> Self {
        Self {
            stage: Stage::Greeting,
            seen: Seen::default(),
            server: Packets::default(),
            client: Packets::default(),
            asked: false,
        }
    }
}

impl Handshake {
    /// How far the two have come.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// What was learned so far.
    #[must_use]
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Whether nothing more will be learned.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::Refused | Stage::Opaque)
    }

    /// What the client still owes a server that waits for it: the bytes that end its packet, filled in. None: it is
    /// the server's turn, or what passes cannot be read.
    #[must_use]
    pub fn owed(&self) -> Option<Vec<u8>> {
        let cut = !self.client.pending.is_empty();
        let asked = self.stage == Stage::Authentication && (self.asked || cut);
        asked.then(|| opening::complete(&self.client.pending, self.server.sequence.wrapping_add(1)))
    }

    /// Takes in bytes that went from the server to the client.
    pub fn from_server(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !self.is_over() && !rest.is_empty() {
            match self.server.take(&mut rest) {
                Taken::Incomplete => return,
                Taken::TooLong => self.stage = Stage::Opaque,
                Taken::Packet(payload) => {
                    self.stage = self.server_packet(&payload);
                    self.asked = true;
                }
            }
        }
    }

    /// Takes in bytes that went from the client to the server.
    pub fn from_client(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !self.is_over() && !rest.is_empty() {
            match self.client.take(&mut rest) {
                Taken::Incomplete => return,
                Taken::TooLong => self.stage = Stage::Opaque,
                Taken::Packet(payload) => {
                    self.stage = self.client_packet(&payload);
                    self.asked = false;
                }
            }
        }
    }

    fn server_packet(&mut self, payload: &[u8]) -> Stage {
        match (self.stage, payload.first()) {
            (Stage::Greeting | Stage::Authentication, Some(0xff)) => Stage::Refused,
            (Stage::Greeting, Some(10)) => match Greeting::read(payload) {
                Some(greeting) => {
                    self.seen.thread_id = Some(greeting.thread_id);
                    Stage::Login
                }
                None => Stage::Opaque,
            },
            (Stage::Authentication, Some(0)) => {
                self.seen.readable = self.seen.capabilities.is_some_and(|bits| bits & CLIENT_COMPRESSED == 0);
                Stage::Open
            }
            // A request to switch the plugin, or more data of the plugin in use.
            (Stage::Authentication, Some(0xfe | 1)) => Stage::Authentication,
            _ => Stage::Opaque,
        }
    }

    fn client_packet(&mut self, payload: &[u8]) -> Stage {
        if self.stage == Stage::Authentication {
            return Stage::Authentication;
        }
        match Login::read(payload) {
            Some(Login::Plain { capabilities, user }) if self.stage == Stage::Login => {
                self.seen.capabilities = Some(capabilities);
                let end = user.char_indices().nth(MAX_USER).map_or(user.len(), |(end, _)| end);
                self.seen.user = Some(user[..end].to_owned());
                Stage::Authentication
            }
            Some(Login::Tls { capabilities }) if self.stage == Stage::Login => {
                self.seen.capabilities = Some(capabilities);
                self.seen.tls = true;
                Stage::Opaque
            }
            _ => Stage::Opaque,
        }
    }
}

/// Cuts one direction's bytes into packets.
#[derive(Debug, Default)]
struct Packets {
    pending: Vec<u8>,
    /// That of the last whole packet.
    sequence: u8,
}

enum Taken<'a> {
    Incomplete,
    TooLong,
    Packet(Cow<'a, [u8]>),
}

impl Packets {
    /// Takes from `bytes` what completes the packet at hand. One that comes whole, as nearly all do, is not copied.
    fn take<'a>(&mut self, bytes: &mut &'a [u8]) -> Taken<'a> {
        if self.pending.is_empty()
            && let Some((&[a, b, c, sequence], behind)) = bytes.split_first_chunk::<HEADER>()
            && let Some((payload, rest)) = behind.split_at_checked(length([a, b, c]))
            && payload.len() <= MAX_PACKET
        {
            (self.sequence, *bytes) = (sequence, rest);
            return Taken::Packet(Cow::Borrowed(payload));
        }
        self.piece_together(bytes)
    }

    fn piece_together<'a>(&mut self, bytes: &mut &[u8]) -> Taken<'a> {
        self.fill(bytes, HEADER);
        let Some(&[a, b, c, sequence]) = self.pending.first_chunk::<HEADER>() else {
            return Taken::Incomplete;
        };
        let length = length([a, b, c]);
        if length > MAX_PACKET {
            return Taken::TooLong;
        }
        self.fill(bytes, HEADER + length);
        if self.pending.len() < HEADER + length {
            return Taken::Incomplete;
        }
        let payload = self.pending.split_off(HEADER);
        self.pending.clear();
        self.sequence = sequence;
        Taken::Packet(Cow::Owned(payload))
    }

    fn fill(&mut self, bytes: &mut &[u8], want: usize) {
        let missing = want.saturating_sub(self.pending.len()).min(bytes.len());
        self.pending.extend_from_slice(&bytes[..missing]);
        *bytes = &bytes[missing..];
    }
}

/// The length of a packet, as its header has it.
fn length([low, middle, high]: [u8; 3]) -> usize {
    u32::from_le_bytes([low, middle, high, 0]) as usize
}
