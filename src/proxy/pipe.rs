//! One direction of a relay: reads into the thread's buffer, writes at once, keeps only what was not taken. It owns the
//! backpressure and the end of its direction; the two directions together are `relay`'s.

use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendFlags, recv, send};
use socket2::SockRef;
use tokio::io::{AsyncWrite, Interest};
use tokio::net::TcpStream;
use tokio::task::yield_now;

use crate::sys;

/// The size of a thread's read buffer: the most one read takes.
pub const BUFFER: usize = 4 * STEP;

/// What a read takes unless the flow is sustained, and so the most a session keeps when its peer stops reading. 16 KB
/// reads cost two to three times the instructions a byte of 64 KB and more (measured).
const STEP: usize = 64 * 1024;

/// Reads in a row that took all they could and make a flow a sustained one.
const SUSTAINED: u8 = 4;

/// Bytes one direction may move before other sessions of the thread have their turn.
const TURN: usize = BUFFER;

/// Whose operation failed, and how.
pub(super) enum Failed {
    /// Reading from the source.
    Read(ErrorKind),
    /// Writing to the destination.
    Write(ErrorKind),
}

/// One direction. It is polled by one task for its whole life.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    /// Read, but not taken by the peer yet. Nothing more is read while there is some: that is the backpressure.
    pending: Option<Box<Pending>>,
    pub(super) read: u64,
    pub(super) written: u64,
    /// Reads in a row that took all they could.
    full: u8,
    /// Nothing more is read for now.
    pub(super) paused: bool,
    /// The source said it will send no more.
    pub(super) ended: bool,
    /// The destination is not told so yet.
    pub(super) keeps_open: bool,
    /// The destination was told so, or ends of itself.
    shut: bool,
    /// The destination takes nothing any more.
    pub(super) broken: bool,
    /// The task is woken when there is something to read: its waker is with the source since that was last empty. Whoever
    /// wakes it marks the source as ready first, and that is seen before the waker is missed.
    watched: bool,
}

/// Bytes that a session keeps, apart from it: most of the time it keeps none.
#[derive(Debug)]
struct Pending {
    bytes: Vec<u8>,
    /// How much of it the peer has taken.
    taken: usize,
}

impl Pipe {
    /// A direction of which these bytes were read already, and whose end is not passed on until that is allowed.
    pub(super) fn beginning_with(pending: Vec<u8>) -> Self {
        Self { pending: Pending::of(pending), keeps_open: true, ..Self::default() }
    }

    /// Whether nothing is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_none()
    }

    /// What is kept and was not taken before it was kept.
    pub(super) fn kept(&self) -> &[u8] {
        self.pending.as_ref().map(|pending| pending.bytes.as_slice()).unwrap_or_default()
    }

    /// Ready once the source has ended and the destination knows. `observe` answers whether the destination will end of
    /// itself for what it is sent.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        (from, to): (&mut TcpStream, &mut TcpStream),
        buffer: &mut [u8],
        mut observe: impl FnMut(&[u8]) -> bool,
    ) -> Poll<Result<(), Failed>> {
        if self.broken {
            return Poll::Ready(Ok(()));
        }
        let mut moved = 0;
        loop {
            ready!(self.poll_flush(cx, to)).map_err(|error| Failed::Write(error.kind()))?;
            if self.ended {
                return self.poll_shut(cx, to);
            }
            if self.paused {
                return Poll::Pending;
            }
            if moved >= TURN {
                defer(cx);
                return Poll::Pending;
            }
            let window = &mut buffer[..self.window(to)];
            let most = window.len();
            let read =
                ready!(self.poll_read(cx, from, window)).map_err(|error| Failed::Read(error.kind()))?;
            self.full = if read == most { self.full.saturating_add(1) } else { 0 };
            moved += read;
            self.read += read as u64;
            self.ended = read == 0;
            if read > 0 {
                self.shut = observe(&buffer[..read]);
                self.write_or_keep(to, &buffer[..read]).map_err(|error| Failed::Write(error.kind()))?;
            }
        }
    }

    /// How much to read. A sustained flow is read in larger steps where the destination's kernel has room for all of it:
    /// what it would not take would have to be kept. Two system calls in 256 KB find that out.
    fn window(&self, to: &TcpStream) -> usize {
        let sustained = self.full >= SUSTAINED;
        if sustained && room(to).is_some_and(|room| room >= BUFFER) { BUFFER } else { STEP }
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        from: &TcpStream,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let watched = self.watched;
            if !watched && from.poll_read_ready(cx)?.is_pending() {
                self.watched = true;
                return Poll::Pending;
            }
            if let Some(read) = try_read(from, buffer)? {
                self.watched = false;
                return Poll::Ready(Ok(read));
            }
            if watched {
                return Poll::Pending;
            }
        }
    }

    /// Writes what was just read straight from the thread's buffer and keeps only what was not taken.
    fn write_or_keep(&mut self, to: &TcpStream, bytes: &[u8]) -> io::Result<()> {
        let taken = try_write(to, bytes)?;
        self.written += taken as u64;
        if taken < bytes.len() {
            self.pending = Pending::of(bytes[taken..].to_vec());
        }
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>, to: &TcpStream) -> Poll<io::Result<()>> {
        while let Some(pending) = &mut self.pending {
            let taken = try_write(to, &pending.bytes[pending.taken..])?;
            pending.taken += taken;
            self.written += taken as u64;
            if pending.taken == pending.bytes.len() {
                self.pending = None;
            } else {
                ready!(to.poll_write_ready(cx))?;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shut(&mut self, cx: &mut Context<'_>, to: &mut TcpStream) -> Poll<Result<(), Failed>> {
        if self.keeps_open {
            return Poll::Pending;
        }
        if !self.shut {
            // The peer may be gone already; its own direction will tell.
            let _ = ready!(Pin::new(to).poll_shutdown(cx));
            self.shut = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl Pending {
    fn of(bytes: Vec<u8>) -> Option<Box<Self>> {
        (!bytes.is_empty()).then(|| Box::new(Self { bytes, taken: 0 }))
    }
}

/// Has the task woken after the driver has been asked for news. Waking it at once would have it polled again before that,
/// dozens of times where there are few other tasks, while other sessions' packets wait.
fn defer(cx: &mut Context<'_>) {
    let turn = pin!(yield_now());
    // Its first poll does no more than leave the waker with the runtime.
    let _ = turn.poll(cx);
}

/// Bytes the kernel will take for this connection at once. Half of SO_SNDBUF is its own bookkeeping (socket(7)).
fn room(to: &TcpStream) -> Option<usize> {
    let buffer = SockRef::from(to).send_buffer_size().ok()? / 2;
    Some(buffer.saturating_sub(sys::unacknowledged(to).ok()?))
}

/// One read; none: there is nothing to read now. A read that does not fill the buffer has emptied the socket, so that it
/// counts as not ready until more has come (epoll(7), on edge-triggered reading), and nobody asks in vain.
///
/// This and `try_write` stand in for tokio's own reading and writing, which leave the waker anew in each call, and for the C
/// library's recv and send, which are points of cancellation: together a seventh of the proxy's instructions a query in
/// user space (`lab bench instructions`).
fn try_read(from: &TcpStream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    let mut read = None;
    let tried = from.try_io(Interest::READABLE, || {
        let (_, bytes) = recv(from, &mut *buffer, RecvFlags::empty())?;
        read = Some(bytes);
        emptied(bytes > 0 && bytes < buffer.len())
    });
    done(tried).map(|()| read)
}

/// One write: how much of it the kernel took. If it took less than all, it has no more room for now.
fn try_write(to: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut taken = 0;
    let tried = to.try_io(Interest::WRITABLE, || {
        taken = send(to, bytes, SendFlags::NOSIGNAL)?;
        emptied(taken < bytes.len())
    });
    done(tried).map(|()| taken)
}

/// Has tokio count a socket as not ready from now on, if that is so.
fn emptied(is_so: bool) -> io::Result<()> {
    if is_so { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
}

/// That a socket is not ready is no failure.
fn done(tried: io::Result<()>) -> io::Result<()> {
    match tried {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        tried => tried,
    }
}
