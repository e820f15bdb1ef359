//! One direction of a relay: reads into the thread's buffer, writes at once, keeps only what was not taken. It owns the
//! backpressure and the end of its direction; the two directions together are `relay`'s.

use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::task::coop::has_budget_remaining;
use tokio::task::yield_now;

use super::socket::{Read, room, try_read, try_write};

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
                // A task that has used its budget up is put off without its waker being left.
                self.watched = has_budget_remaining();
                return Poll::Pending;
            }
            match try_read(from, buffer)? {
                Read::Some(read) => {
                    self.watched = false;
                    return Poll::Ready(Ok(read));
                }
                // Whoever said that there was something has taken the waker.
                Read::Nothing => self.watched = false,
                Read::NotAsked if watched => return Poll::Pending,
                Read::NotAsked => {}
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::cell::{Cell, RefCell};
    use std::future::poll_fn;
    use std::rc::Rc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::LocalSet;
    use tokio::task::coop::consume_budget;
    use tokio::time::timeout;

    use super::super::relay::Relay;
    use super::*;

    async fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (near.unwrap(), far.unwrap().0)
    }

    #[tokio::test]
    async fn a_relay_that_was_put_off_before_it_left_its_waker_is_woken_all_the_same() {
        let ((mut client, accepted), (dialled, mut server)) = (connected().await, connected().await);
        let mut relay = Relay::new(accepted, dialled, Vec::new());
        let buffer = RefCell::new(vec![0; BUFFER].into_boxed_slice());
        let exhausted = Rc::new(Cell::new(false));
        let (once, local) = (Rc::clone(&exhausted), LocalSet::new());
        // A task of its own, which nothing but its sockets and being put off wakes.
        local.spawn_local(poll_fn(move |cx| {
            while once.get() && has_budget_remaining() {
                let _ = pin!(consume_budget()).poll(cx);
            }
            once.set(false);
            relay.poll(cx, &buffer, &mut ())
        }));
        let talk = async {
            // The second finds the task without a budget, which it takes to leave its waker for the third.
            for question in [b"first...", b"second..", b"third..."] {
                exhausted.set(question == b"second..");
                client.write_all(question).await.unwrap();
                let mut got = [0; 8];
                server.read_exact(&mut got).await.unwrap();
                assert_eq!(&got, question);
            }
        };
        local.run_until(timeout(Duration::from_secs(5), talk)).await.unwrap();
    }
}
