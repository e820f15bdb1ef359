//! One read and one write of a relayed connection, each one system call, and what its kernel has room for. Waiting is its
//! caller's.

use std::io::{self, ErrorKind};

use rustix::net::{RecvFlags, SendFlags, recv, send};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::sys;

/// Bytes the kernel will take for this connection at once. Half of SO_SNDBUF is its own bookkeeping (socket(7)).
pub(super) fn room(to: &TcpStream) -> Option<usize> {
    let buffer = SockRef::from(to).send_buffer_size().ok()? / 2;
    Some(buffer.saturating_sub(sys::unacknowledged(to).ok()?))
}

/// What came of a read.
pub(super) enum Read {
    /// So many bytes; 0 is the end.
    Some(usize),
    /// The kernel was asked in vain.
    Nothing,
    /// It was not asked, as nothing has come since it was last.
    NotAsked,
}

/// One read. One that does not fill the buffer has emptied the socket, so that it counts as not ready until more has come
/// (epoll(7), on edge-triggered reading), and nobody asks in vain.
///
/// This and `try_write` stand in for tokio's own reading and writing, which look for the waker that was left after each
/// read, and for the C library's recv and send, which are points of cancellation: together a seventh of the proxy's
/// instructions a query in user space (`lab bench instructions`).
pub(super) fn try_read(from: &TcpStream, buffer: &mut [u8]) -> io::Result<Read> {
    let mut read = Read::NotAsked;
    let tried = from.try_io(Interest::READABLE, || {
        read = Read::Nothing;
        let (_, bytes) = recv(from, &mut *buffer, RecvFlags::empty())?;
        read = Read::Some(bytes);
        emptied(bytes > 0 && bytes < buffer.len())
    });
    done(tried).map(|()| read)
}

/// One write: how much of it the kernel took. If it took less than all, it has no more room for now.
pub(super) fn try_write(to: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
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
