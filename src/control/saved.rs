//! A session that outlives its process. The client library tells nobody a session's password but the server it connects
//! to, and takes none but from there: so for the time of one handshake this process is that server, on loopback. Where
//! a saved session is kept is not known here.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use uuid::Uuid;
use zookeeper_client::{Client, Connector, SessionInfo};

/// The handshake takes less than a millisecond, on a busy machine some.
const LIMIT: Duration = Duration::from_secs(2);
/// The longest packet of a handshake; the library's are below 100 bytes.
const LONGEST: usize = 1024;
/// Of the client's first packet: protocol version, last zxid and timeout come before the session's id.
const BEFORE_ID: usize = 4 + 8 + 4;
/// A session timeout for the library; it never comes to that.
const TIMEOUT_MS: i32 = 10_000;

/// What a later process needs to go on with a session. Whoever has it can act as its owner.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSession {
    id: i64,
    password: Vec<u8>,
}

impl SavedSession {
    /// The session's id, the `ephemeral_owner` of what it has created.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.id
    }
}

impl fmt::Debug for SavedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SavedSession({:#x})", self.id)
    }
}

/// Asks the library for what is in `session`.
pub(super) async fn save(session: SessionInfo) -> io::Result<SavedSession> {
    let host = Host::open().await?;
    let connector = Client::connector().with_session(session);
    let told = host.while_connecting(connector, async |host| Ok(host.accept().await?.asked));
    match limited(told).await? {
        Met::Told(saved) => Ok(saved),
        Met::Connected(_) => Err(io::Error::other("nobody answered, and it connected")),
    }
}

/// Makes of `saved` what the library takes.
pub(super) async fn restore(saved: &SavedSession) -> io::Result<SessionInfo> {
    let host = Host::open().await?;
    let answered = host.while_connecting(Client::connector(), async |host| -> io::Result<Infallible> {
        let Guest { mut stream, proof, .. } = host.accept().await?;
        stream.write_all(&[welcome(saved), reply(&proof)].concat()).await?;
        loop {
            let packet = packet(&mut stream).await?;
            stream.write_all(&reply(&packet)).await?;
        }
    });
    match limited(answered).await? {
        Met::Connected(client) => Ok(client.into_session()),
        Met::Told(never) => match never {},
    }
}

async fn limited<T>(met: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(LIMIT, met).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// What came first.
enum Met<T> {
    /// The server's side is done.
    Told(T),
    /// The library has its session.
    Connected(Client),
}

/// The library, connected to this process.
struct Guest {
    stream: TcpStream,
    /// The session it asks for.
    asked: SavedSession,
    /// Its second packet, which is not answered yet.
    proof: Vec<u8>,
}

/// A server for one handshake. What connects is the library only if it shows a number that nobody else knows: any user
/// of this machine can connect to loopback.
struct Host {
    listener: TcpListener,
    proof: Uuid,
}

impl Host {
    async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Self { listener, proof: Uuid::new_v4() })
    }

    async fn while_connecting<T>(
        &self,
        connector: Connector,
        serve: impl AsyncFnOnce(&Self) -> io::Result<T>,
    ) -> io::Result<Met<T>> {
        let address = self.listener.local_addr()?.to_string();
        // Detached, so that the library does not end the session by a word to this server.
        let connector =
            connector.with_auth("capitana", self.proof.as_bytes()).with_detached().with_fail_eagerly();
        tokio::select! {
            told = serve(self) => told.map(Met::Told),
            client = connector.connect(&address) => match client {
                Ok(client) => Ok(Met::Connected(client)),
                Err(error) => Err(io::Error::other(error.to_string())),
            },
        }
    }

    /// Waits for the library.
    async fn accept(&self) -> io::Result<Guest> {
        loop {
            let (mut stream, _) = self.listener.accept().await?;
            let first = packet(&mut stream).await;
            let second = packet(&mut stream).await;
            if let (Ok(first), Ok(proof)) = (first, second)
                && proof.ends_with(self.proof.as_bytes())
                && let Some(asked) = asked_for(&first)
            {
                return Ok(Guest { stream, asked, proof });
            }
        }
    }
}

fn asked_for(packet: &[u8]) -> Option<SavedSession> {
    let (id, rest) = packet.get(BEFORE_ID..)?.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let password = rest.get(..usize::try_from(i32::from_be_bytes(*length)).ok()?)?.to_vec();
    Some(SavedSession { id: i64::from_be_bytes(*id), password })
}

async fn packet(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = usize::try_from(stream.read_i32().await?).unwrap_or(usize::MAX);
    if length > LONGEST {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    let mut packet = vec![0; length];
    stream.read_exact(&mut packet).await?;
    Ok(packet)
}

/// The answer to the first packet: version, timeout, id, password, and that the server takes writes.
fn welcome(saved: &SavedSession) -> Vec<u8> {
    let length = i32::try_from(saved.password.len()).unwrap_or_default();
    let body = [
        &0_i32.to_be_bytes()[..],
        &TIMEOUT_MS.to_be_bytes(),
        &saved.id.to_be_bytes(),
        &length.to_be_bytes(),
        &saved.password,
        &[0],
    ];
    framed(&body.concat())
}

/// Success: the packet's own number, a zxid, no error.
fn reply(packet: &[u8]) -> Vec<u8> {
    let number = packet.get(..4).unwrap_or(&[0; 4]);
    framed(&[number, &0_i64.to_be_bytes(), &0_i32.to_be_bytes()].concat())
}

fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or_default();
    [&length.to_be_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn saved() -> SavedSession {
        SavedSession { id: -0x1234_5678_9abc_def0, password: (1..=16).collect() }
    }

    #[tokio::test]
    async fn what_is_restored_is_what_was_saved() {
        let restored = restore(&saved()).await.unwrap();
        assert_eq!(restored.id().0, saved().id);
        assert_eq!(save(restored).await.unwrap(), saved());
    }

    #[tokio::test]
    async fn whoever_cannot_prove_to_be_this_process_is_told_nothing() {
        let host = Host::open().await.unwrap();
        let mut stranger = TcpStream::connect(host.listener.local_addr().unwrap()).await.unwrap();
        let hello = [&[0; BEFORE_ID][..], &7_i64.to_be_bytes(), &0_i32.to_be_bytes(), &[0]].concat();
        stranger.write_all(&framed(&hello)).await.unwrap();
        stranger.write_all(&framed(b"not the proof")).await.unwrap();
        tokio::select! {
            _ = host.accept() => panic!("the stranger was let in"),
            read = stranger.read_u8() => assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof),
        }
    }

    #[test]
    fn no_password_is_printed() {
        assert!(!format!("{:?}", saved()).contains("16"));
    }
}
