//! Moves bytes between a client and its server until both directions have ended. One task polls both directions and
//! reads into the thread's one buffer; a session keeps only what its peer did not take yet. It owns half-close,
//! backpressure and byte counts; when to stop, and why, is its caller's.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use capitana_core::handshake::Handshake;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::sys;

/// The size of a thread's read buffer, and so the most a session keeps when its peer stops reading. 16 KB reads cost
/// two to three times the instructions a byte of 64 KB and more (measured).
pub const BUFFER: usize = 64 * 1024;

/// Bytes one direction may move before other sessions of the thread have their turn: four full reads.
const TURN: usize = 4 * BUFFER;

/// Which of the two connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client's.
    Client,
    /// The server's.
    Upstream,
}

/// How the relay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Both directions reached their end; this side ended first.
    Closed(Side),
    /// This side's connection failed.
    Failed(Side),
}

/// Sees the bytes that pass.
pub trait Observer {
    /// Bytes on their way to the server.
    fn to_upstream(&mut self, bytes: &[u8]);
    /// Bytes on their way to the client.
    fn to_client(&mut self, bytes: &[u8]);
    /// Whether the relay should return to its caller now.
    fn pause(&self) -> bool;
}

/// No observer: the relay runs to its end.
impl Observer for () {
    fn to_upstream(&mut self, _: &[u8]) {}
    fn to_client(&mut self, _: &[u8]) {}
    fn pause(&self) -> bool {
        false
    }
}

impl Observer for Handshake {
    fn to_upstream(&mut self, bytes: &[u8]) {
        self.from_client(bytes);
    }
    fn to_client(&mut self, bytes: &[u8]) {
        self.from_server(bytes);
    }
    fn pause(&self) -> bool {
        self.is_over()
    }
}

/// A pair of connections and what is on its way between them.
#[derive(Debug)]
pub struct Relay {
    client: TcpStream,
    upstream: TcpStream,
    to_upstream: Pipe,
    to_client: Pipe,
    first_end: Option<Side>,
    /// When bytes of the client's left last, if the server has not said anything since.
    client_spoke: Option<Instant>,
}

/// What a poll of the relay came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It ended.
    Ended(Ended),
    /// The observer asked for a pause.
    Paused,
    /// The server ended its direction while the client has not: told once.
    UpstreamEnded,
}

impl Relay {
    /// A relay whose client is to receive `greeting` first, which came from the server.
    #[must_use]
    pub fn new(client: TcpStream, upstream: TcpStream, greeting: Vec<u8>) -> Self {
        let to_client = Pipe { pending: greeting, ..Pipe::default() };
        let to_upstream = Pipe::default();
        Self { client, upstream, to_upstream, to_client, first_end: None, client_spoke: None }
    }

    /// The server's first bytes, until they have gone to the client.
    #[must_use]
    pub fn greeting(&self) -> &[u8] {
        &self.to_client.pending
    }

    /// Bytes that reached the server.
    #[must_use]
    pub fn sent_upstream(&self) -> u64 {
        self.to_upstream.written
    }

    /// Bytes that reached the client.
    #[must_use]
    pub fn sent_to_client(&self) -> u64 {
        self.to_client.written
    }

    /// The side that ended its direction first, once one has.
    #[must_use]
    pub fn first_end(&self) -> Option<Side> {
        self.first_end
    }

    /// Stops reading from the client. What was read goes on to the server.
    pub fn pause(&mut self) {
        self.to_upstream.paused = true;
    }

    /// Reads from the client again; the relay has to be polled afterwards.
    pub fn resume(&mut self) {
        self.to_upstream.paused = false;
    }

    /// Whether nothing is on its way: not in the proxy, not in the kernel's queues of either connection, and not
    /// between the proxy and the server's kernel. A queue that cannot be asked is not empty.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let empty = |unread: rustix::io::Result<u64>| unread == Ok(0);
        self.first_end.is_none()
            && self.to_upstream.pending.is_empty()
            && self.to_client.pending.is_empty()
            && empty(rustix::io::ioctl_fionread(&self.client))
            && empty(rustix::io::ioctl_fionread(&self.upstream))
            && sys::unacknowledged(&self.upstream).is_ok_and(|bytes| bytes == 0)
    }

    /// When the client's last bytes left for the server; none if the server has spoken since.
    #[must_use]
    pub fn client_spoke(&self) -> Option<Instant> {
        self.client_spoke
    }

    /// Gives the client's connection back, to end it in order. The server's is closed.
    #[must_use]
    pub fn into_client(self) -> TcpStream {
        self.client
    }

    /// Moves what can be moved now, through `buffer`.
    pub fn poll<O: Observer>(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &RefCell<Box<[u8]>>,
        observer: &mut O,
    ) -> Poll<Progress> {
        let buffer = &mut **buffer.borrow_mut();
        let before = (self.to_upstream.read, self.to_client.read);
        let up = self.to_upstream.poll(cx, (&mut self.client, &mut self.upstream), buffer, |bytes| {
            observer.to_upstream(bytes);
        });
        let up = match up {
            Poll::Ready(Err(Failed::Read)) => {
                return Poll::Ready(Progress::Ended(Ended::Failed(Side::Client)));
            }
            // A server that does not want a packet says so and closes, with the rest of the packet still coming:
            // what it has said stands to be read, and its own direction ends of itself.
            Poll::Ready(Err(Failed::Write)) => {
                self.to_upstream.broken = true;
                Poll::Ready(())
            }
            up => up.map(|_| ()),
        };
        let down = self.to_client.poll(cx, (&mut self.upstream, &mut self.client), buffer, |bytes| {
            observer.to_client(bytes);
        });
        if let Poll::Ready(Err(failed)) = down {
            let side = match failed {
                Failed::Read => Side::Upstream,
                Failed::Write => Side::Client,
            };
            return Poll::Ready(Progress::Ended(Ended::Failed(side)));
        }
        // If both spoke, the server's bytes may be older than the client's.
        if self.to_upstream.read > before.0 {
            self.client_spoke = Some(Instant::now());
        } else if self.to_client.read > before.1 {
            self.client_spoke = None;
        }
        let known = self.first_end;
        self.first_end = known.or(match (self.to_upstream.ended, self.to_client.ended) {
            (true, _) => Some(Side::Client),
            (false, true) => Some(Side::Upstream),
            (false, false) => None,
        });
        match self.first_end {
            Some(side) if up.is_ready() && down.is_ready() => {
                Poll::Ready(Progress::Ended(Ended::Closed(side)))
            }
            Some(Side::Upstream) if known.is_none() => Poll::Ready(Progress::UpstreamEnded),
            _ if observer.pause() => Poll::Ready(Progress::Paused),
            _ => Poll::Pending,
        }
    }
}

/// Whose operation failed.
enum Failed {
    Read,
    Write,
}

/// One direction.
#[derive(Debug, Default)]
struct Pipe {
    /// Read, but not taken by the peer yet. Nothing more is read while there is some: that is the backpressure.
    pending: Vec<u8>,
    /// How much of `pending` the peer has taken.
    taken: usize,
    read: u64,
    written: u64,
    /// Nothing more is read for now.
    paused: bool,
    /// The source said it will send no more.
    ended: bool,
    /// The destination was told so.
    shut: bool,
    /// The destination takes nothing any more.
    broken: bool,
}

impl Pipe {
    /// Ready once the source has ended and the destination knows.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        (from, to): (&mut TcpStream, &mut TcpStream),
        buffer: &mut [u8],
        mut observe: impl FnMut(&[u8]),
    ) -> Poll<Result<(), Failed>> {
        if self.broken {
            return Poll::Ready(Ok(()));
        }
        let mut moved = 0;
        loop {
            ready!(self.poll_flush(cx, to)).map_err(|_| Failed::Write)?;
            if self.ended {
                return self.poll_shut(cx, to);
            }
            if self.paused {
                return Poll::Pending;
            }
            if moved >= TURN {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let read = ready!(poll_read(cx, from, buffer)).map_err(|_| Failed::Read)?;
            moved += read;
            self.read += read as u64;
            self.ended = read == 0;
            if read > 0 {
                observe(&buffer[..read]);
                self.write_or_keep(cx, to, &buffer[..read]).map_err(|_| Failed::Write)?;
            }
        }
    }

    /// Writes what was just read straight from the thread's buffer and keeps only what was not taken.
    fn write_or_keep(&mut self, cx: &mut Context<'_>, to: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        let taken = match Pin::new(to).poll_write(cx, bytes) {
            Poll::Ready(taken) => taken?,
            Poll::Pending => 0,
        };
        self.written += taken as u64;
        if taken < bytes.len() {
            self.pending = bytes[taken..].to_vec();
        }
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>, to: &mut TcpStream) -> Poll<io::Result<()>> {
        while self.taken < self.pending.len() {
            let taken = ready!(Pin::new(&mut *to).poll_write(cx, &self.pending[self.taken..]))?;
            self.taken += taken;
            self.written += taken as u64;
        }
        if !self.pending.is_empty() {
            self.pending = Vec::new();
            self.taken = 0;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shut(&mut self, cx: &mut Context<'_>, to: &mut TcpStream) -> Poll<Result<(), Failed>> {
        if !self.shut {
            // The peer may be gone already; its own direction will tell.
            let _ = ready!(Pin::new(to).poll_shutdown(cx));
            self.shut = true;
        }
        Poll::Ready(Ok(()))
    }
}

/// One read. A read that does not fill the buffer makes tokio forget the socket's readiness, so the next one waits
/// without a system call.
fn poll_read(cx: &mut Context<'_>, from: &mut TcpStream, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
    let mut window = ReadBuf::new(buffer);
    ready!(Pin::new(from).poll_read(cx, &mut window))?;
    Poll::Ready(Ok(window.filled().len()))
}
