//! Owns clients down to the bytes, for scenarios whose clients do what no library does: log in without a password, ask one
//! question, or stop in the midst of a handshake.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// How long a proxy or server may take for an answer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// The protocol of 4.1, transactions, answers with a length, plugins by name.
const CAPABILITIES: u32 = 0x0008_a200;
const CLIENT_SSL: u32 = 1 << 11;

/// A connection on which packets are read and bytes are written.
#[derive(Debug)]
pub(super) struct Raw(pub(super) TcpStream);

impl Raw {
    /// Connects from an address of this machine's.
    pub(super) async fn connect(from: SocketAddr, to: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(from)?;
        Ok(Self(tokio::time::timeout(PATIENCE, socket.connect(to)).await??))
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// The next packet's payload.
    pub(super) async fn packet(&mut self) -> io::Result<Vec<u8>> {
        tokio::time::timeout(PATIENCE, async {
            let mut header = [0; 4];
            self.0.read_exact(&mut header).await?;
            let mut payload = vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
            self.0.read_exact(&mut payload).await?;
            Ok(payload)
        })
        .await?
    }

    /// Ends the connection with a reset in the place of a FIN.
    pub(super) fn reset(self) -> io::Result<()> {
        self.0.set_zero_linger()
    }

    /// Reads the greeting, logs in without a password and asks; the first column of the only row of the answer.
    pub(super) async fn ask(&mut self, user: &str, question: &str) -> Result<String> {
        let greeting = self.packet().await?;
        ensure!(greeting.first() == Some(&10), "no greeting: {}", text(&greeting));
        self.send(&login(user, "mysql_native_password")).await?;
        let answer = self.packet().await?;
        ensure!(answer.first() == Some(&0), "not let in: {}", text(&answer));
        self.send(&packet(0, &[&[3], question.as_bytes()].concat())).await?;
        // The number of columns, one definition and its end; then the row.
        for _ in 0..3 {
            self.packet().await?;
        }
        let row = self.packet().await?;
        match row.split_first() {
            Some((length, value)) if usize::from(*length) == value.len() => Ok(text(value)),
            _ => bail!("no row with a short text: {row:?}"),
        }
    }
}

/// A packet with its header.
pub(super) fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_le_bytes()[..3].to_vec();
    bytes.push(sequence);
    bytes.extend_from_slice(payload);
    bytes
}

/// A login with an empty answer, for this plugin.
pub(super) fn login(user: &str, plugin: &str) -> Vec<u8> {
    let mut payload = fixed(CAPABILITIES);
    payload.extend_from_slice(user.as_bytes());
    payload.extend_from_slice(&[0, 0]);
    payload.extend_from_slice(plugin.as_bytes());
    payload.push(0);
    packet(1, &payload)
}

/// A request for TLS.
pub(super) fn tls_request() -> Vec<u8> {
    packet(1, &fixed(CAPABILITIES | CLIENT_SSL))
}

/// What a payload says, for people.
pub(super) fn text(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).into_owned()
}

fn fixed(capabilities: u32) -> Vec<u8> {
    let mut payload = capabilities.to_le_bytes().to_vec();
    payload.extend_from_slice(&(1u32 << 24).to_le_bytes());
    payload.push(45);
    payload.extend_from_slice(&[0; 23]);
    payload
}
