//! Owns a way to ZooKeeper on which replies are lost: it leads connections to a server, knows enough of the protocol to
//! find the reply to a `create`, and in place of passing it on cuts the connection.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// ZooKeeper's numbers of the requests that create: create, create2, createContainer, createTTL.
const CREATES: [i32; 4] = [1, 15, 19, 21];
/// ZooKeeper's own limit of a packet is 1 MiB.
const LONGEST: usize = 4 << 20;

/// The way. Gone, with its connections, when dropped.
#[derive(Debug)]
pub struct Lossy {
    lost: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Lossy {
    /// Listens on `address`, leads to `target`, and loses the replies of `most` creates, the first ones.
    ///
    /// # Errors
    /// The address is taken.
    pub async fn start(address: SocketAddr, target: SocketAddr, most: usize) -> Result<Self> {
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        let lost = Arc::new(AtomicUsize::new(0));
        let mut task = JoinSet::new();
        let way = Way { target, most, lost: Arc::clone(&lost) };
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                if let Ok((client, _)) = listener.accept().await {
                    connections.spawn(way.clone().lead(client));
                }
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { lost, _task: task })
    }

    /// How many replies were lost.
    pub fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }
}

#[derive(Debug, Clone)]
struct Way {
    target: SocketAddr,
    most: usize,
    lost: Arc<AtomicUsize>,
}

impl Way {
    /// Both ends are closed when it returns.
    async fn lead(self, mut client: TcpStream) {
        let Ok(mut server) = TcpStream::connect(self.target).await else { return };
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let mut creates = BTreeSet::new();
        let (mut asked, mut answered) = (Packets::default(), Packets::default());
        // A packet that was read in part when the other side was first is kept in its `Packets`.
        loop {
            tokio::select! {
                packet = asked.next(&mut from_client) => {
                    let Some(packet) = packet else { return };
                    creates.extend(create(&packet));
                    if to_server.write_all(&packet).await.is_err() { return }
                }
                packet = answered.next(&mut from_server) => {
                    let Some(packet) = packet else { return };
                    if number(&packet, 4).is_some_and(|xid| creates.remove(&xid)) && self.lose() { return }
                    if to_client.write_all(&packet).await.is_err() { return }
                }
            }
        }
    }

    fn lose(&self) -> bool {
        let more = |lost| (lost < self.most).then_some(lost + 1);
        self.lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_ok()
    }
}

/// The number of a request that creates.
fn create(packet: &[u8]) -> Option<i32> {
    let kind = number(packet, 8)?;
    number(packet, 4).filter(|xid| *xid > 0 && CREATES.contains(&kind))
}

fn number(packet: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(*packet.get(at..)?.first_chunk()?))
}

/// Takes a stream of bytes apart: each packet begins with its length.
#[derive(Debug, Default)]
struct Packets(Vec<u8>);

impl Packets {
    /// The next whole packet, with its length. Dropping the future loses nothing.
    async fn next(&mut self, from: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
        loop {
            let length = number(&self.0, 0).map(|length| usize::try_from(length).unwrap_or(usize::MAX));
            if length.is_some_and(|length| length > LONGEST) {
                return None;
            }
            if let Some(whole) = length.map(|length| 4 + length).filter(|whole| self.0.len() >= *whole) {
                return Some(self.0.drain(..whole).collect());
            }
            if from.read_buf(&mut self.0).await.ok()? == 0 {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpSocket;

    use super::*;

    fn packet(numbers: &[i32]) -> Vec<u8> {
        let body: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
    }

    #[tokio::test]
    async fn the_reply_to_a_create_is_lost_with_its_connection_and_others_pass() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let free = TcpSocket::new_v4().unwrap();
        free.set_reuseaddr(true).unwrap();
        free.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = free.local_addr().unwrap();
        let lossy = Lossy::start(address, listener.local_addr().unwrap(), 1).await.unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.write_all(&packet(&[7, 12])).await.unwrap();
        client.write_all(&packet(&[8, 15])).await.unwrap();
        let mut asked = vec![0; 24];
        server.read_exact(&mut asked).await.unwrap();
        server.write_all(&packet(&[7, 0])).await.unwrap();
        server.write_all(&packet(&[8, 0])).await.unwrap();
        let mut answers = Vec::new();
        let _ = client.read_to_end(&mut answers).await;
        assert_eq!(answers, packet(&[7, 0]));
        assert_eq!(lossy.lost(), 1);
    }
}
