//! Owns a client that costs next to nothing: a blocking socket, a login with mysql_native_password, and answers of which
//! only the end is looked for.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// How long any answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The protocol of 4.1, transactions, answers with a length, plugins by name. Rows end with an EOF packet.
const CAPABILITIES: u32 = 0x0008_a200;
const PLUGIN: &[u8] = b"mysql_native_password\0";

/// A session.
pub(crate) struct Session {
    stream: TcpStream,
}

impl Session {
    /// Connects and logs in, with the user's name for password.
    pub(crate) fn open(address: SocketAddr, user: &str) -> Result<Self> {
        let mut session = Self { stream: connect(address)? };
        let mut buffer = [0; 1024];
        let greeting = session.packet(&mut buffer)?;
        let nonce = nonce(greeting).context("the server does not greet as MariaDB does")?;
        session.stream.write_all(&packet(1, &login(user, &nonce)))?;
        let answer = session.packet(&mut buffer)?;
        match answer.first() {
            Some(0) => Ok(session),
            _ => bail!("not let in: {}", String::from_utf8_lossy(answer)),
        }
    }

    /// Asks, and reads the answer to its end. Returns how many bytes it had.
    pub(crate) fn query(&mut self, statement: &str, buffer: &mut [u8]) -> Result<u64> {
        self.stream.write_all(&packet(0, &[&[3], statement.as_bytes()].concat()))?;
        let (mut answer, mut bytes, mut read) = (Answer::default(), 0, 0);
        while !answer.ended {
            read = self.stream.read(buffer)?;
            if read == 0 {
                bail!("the answer breaks off after {bytes} bytes");
            }
            bytes += read as u64;
            answer.feed(&buffer[..read]);
        }
        if answer.refused {
            bail!("the server refuses `{statement}`: {}", String::from_utf8_lossy(&buffer[..read]));
        }
        Ok(bytes)
    }

    /// Asks, and leaves the answer to [`read`](Self::read).
    pub(crate) fn ask(&mut self, statement: &str) -> io::Result<()> {
        self.stream.write_all(&packet(0, &[&[3], statement.as_bytes()].concat()))
    }

    /// One read of what has come of an answer.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }

    /// Has the kernel keep no more than this of what has come and was not read.
    pub(crate) fn keep_at_most(&self, bytes: usize) -> io::Result<()> {
        Ok(rustix::net::sockopt::set_socket_recv_buffer_size(&self.stream, bytes)?)
    }

    /// Says goodbye and waits until the other side has closed.
    pub(crate) fn quit(mut self) -> io::Result<()> {
        self.stream.write_all(&packet(0, &[1]))?;
        // A connection that is reset has ended too.
        let _ = self.stream.read(&mut [0; 16]);
        Ok(())
    }

    /// The one packet the server has sent.
    fn packet<'a>(&mut self, buffer: &'a mut [u8]) -> Result<&'a [u8]> {
        let mut have = 0;
        loop {
            let read = self.stream.read(&mut buffer[have..])?;
            if read == 0 {
                bail!("the connection was closed in the handshake");
            }
            have += read;
            if have >= 4 && have >= 4 + length(buffer) {
                return Ok(&buffer[4..4 + length(buffer)]);
            }
        }
    }
}

/// Whether a greeting comes from there.
pub(crate) fn greeted(address: SocketAddr) -> bool {
    let mut protocol = [0; 5];
    let greeting = connect(address).and_then(|mut stream| stream.read_exact(&mut protocol));
    greeting.is_ok() && protocol[4] == 10
}

/// A packet with its header.
pub(crate) fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_le_bytes()[..3].to_vec();
    bytes.push(sequence);
    bytes.extend_from_slice(payload);
    bytes
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn length(header: &[u8]) -> usize {
    u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize
}

/// The 20 bytes that a password is mixed with: 8 behind the version, the rest behind 19 more bytes.
fn nonce(greeting: &[u8]) -> Option<Vec<u8>> {
    let version_ends = greeting.iter().position(|byte| *byte == 0)?;
    let first = greeting.get(version_ends + 5..version_ends + 13)?;
    let second = greeting.get(version_ends + 32..version_ends + 44)?;
    Some([first, second].concat())
}

pub(crate) fn login(user: &str, nonce: &[u8]) -> Vec<u8> {
    let mut payload = CAPABILITIES.to_le_bytes().to_vec();
    payload.extend_from_slice(&(1u32 << 24).to_le_bytes());
    payload.push(45);
    payload.extend_from_slice(&[0; 23]);
    payload.extend_from_slice(user.as_bytes());
    payload.extend_from_slice(&[0, 20]);
    payload.extend_from_slice(&scramble(user, nonce));
    payload.extend_from_slice(PLUGIN);
    payload
}

/// SHA1(password) xor SHA1(nonce, SHA1(SHA1(password))): what mysql_native_password sends.
fn scramble(password: &str, nonce: &[u8]) -> Vec<u8> {
    let sha1 = |bytes: &[u8]| digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec();
    let once = sha1(password.as_bytes());
    let mixed = sha1(&[nonce, &sha1(&once)].concat());
    once.iter().zip(mixed).map(|(a, b)| a ^ b).collect()
}

/// Follows the packets of an answer to its end, whatever pieces it comes in, and looks into none but the first bytes.
#[derive(Debug, Default)]
struct Answer {
    header: [u8; 5],
    /// How much of the header and the payload's first byte is there.
    have: usize,
    /// What is left of the payload.
    left: usize,
    packets: u64,
    /// EOF packets seen: one ends the columns, the second the rows.
    ends: u8,
    refused: bool,
    ended: bool,
}

impl Answer {
    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            bytes = &bytes[skipped..];
            if self.left > 0 || bytes.is_empty() {
                return;
            }
            let taken = (5 - self.have).min(bytes.len());
            self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == 5 {
                self.packet();
            }
        }
    }

    /// The header and the first byte of a payload are there.
    fn packet(&mut self) {
        let length = length(&self.header);
        match self.header[4] {
            0xff => (self.refused, self.ended) = (true, true),
            0 if self.packets == 0 => self.ended = true,
            0xfe if length < 9 => self.ends += 1,
            _ => {}
        }
        self.ended |= self.ends == 2;
        self.packets += 1;
        self.left = length.saturating_sub(1);
        self.have = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: [u8; 5] = [0xfe, 0, 0, 2, 0];

    fn rows() -> Vec<u8> {
        let row = [&[0xfd, 0x10, 0x27, 0][..], &[b' '; 10_000]].concat();
        [packet(1, &[1]), packet(2, b"\x03def"), packet(3, &END), packet(4, &row), packet(5, &END)].concat()
    }

    #[test]
    fn an_answer_ends_with_the_second_end_whatever_pieces_it_comes_in() {
        for piece in [1, 2, 7, 4096, 100_000] {
            let mut answer = Answer::default();
            let rows = rows();
            let (last, before) = rows.split_last().unwrap();
            before.chunks(piece).for_each(|bytes| answer.feed(bytes));
            answer.feed(&[*last]);
            assert!(answer.ended && !answer.refused, "{piece}");
            assert_eq!(answer.packets, 5, "{piece}");
        }
    }

    #[test]
    fn an_answer_without_rows_is_one_packet() {
        let mut answer = Answer::default();
        answer.feed(&packet(1, &[0, 0, 0, 2, 0, 0, 0]));
        assert!(answer.ended && !answer.refused);
    }

    #[test]
    fn a_refusal_ends_an_answer() {
        let mut answer = Answer::default();
        answer.feed(&packet(1, b"\xff\x15\x04#28000no"));
        assert!(answer.ended && answer.refused);
    }

    #[test]
    fn the_nonce_is_put_together_from_its_two_parts() {
        let mut greeting = b"\x0a10.11-MariaDB\0\x2a\0\0\0abcdefgh\0\xfe\xff\x2d\x02\0\xff\x81\x15".to_vec();
        greeting.extend_from_slice(b"\0\0\0\0\0\0\x1d\0\0\0ijklmnopqrst\0mysql_native_password\0");
        assert_eq!(nonce(&greeting).unwrap(), b"abcdefghijklmnopqrst");
    }
}
