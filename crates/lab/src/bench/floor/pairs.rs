//! Owns the floor's connections, in pairs, and how bytes pass between the two of one.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, epoll, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

/// One of the two connections of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pair: usize,
    /// 0: the client's, 1: the server's.
    side: usize,
}

impl End {
    /// Of its token.
    pub(super) const fn of(token: u64) -> Self {
        Self { pair: (token / 2) as usize, side: (token % 2) as usize }
    }

    const fn token(self) -> u64 {
        self.pair as u64 * 2 + self.side as u64
    }
}

/// All pairs of a thread.
pub(super) struct Pairs {
    epoll: OwnedFd,
    upstream: SocketAddr,
    pairs: Vec<Option<[TcpStream; 2]>>,
    free: Vec<usize>,
    ended: Vec<usize>,
}

impl Pairs {
    pub(super) fn new(epoll: OwnedFd, upstream: SocketAddr) -> Self {
        Self { epoll, upstream, pairs: Vec::new(), free: Vec::new(), ended: Vec::new() }
    }

    pub(super) fn epoll(&self) -> &OwnedFd {
        &self.epoll
    }

    /// Connects a client to the server. Bytes that come before the connection stands wait in the kernel.
    pub(super) fn begin(&mut self, client: TcpStream) -> Result<()> {
        let family = if self.upstream.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let server = socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&server, true)?;
        match connect(&server, &self.upstream) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            // The client sees its connection end.
            Err(_) => return Ok(()),
        }
        let pair = self.free.pop().unwrap_or_else(|| {
            self.pairs.push(None);
            self.pairs.len() - 1
        });
        let streams = [client, TcpStream::from(server)];
        for (side, stream) in streams.iter().enumerate() {
            let data = epoll::EventData::new_u64(End { pair, side }.token());
            epoll::add(&self.epoll, stream, data, epoll::EventFlags::IN)?;
        }
        self.pairs[pair] = Some(streams);
        Ok(())
    }

    /// Passes on what one end has, in one read; the end of one is the end of both.
    pub(super) fn pass_on(&mut self, end: End, buffer: &mut [u8]) {
        let Some(pair) = &mut self.pairs[end.pair] else { return };
        let alive = match pair[end.side].read(buffer) {
            Ok(0) => false,
            Ok(read) => write_all(&mut pair[1 - end.side], &buffer[..read]),
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        };
        if !alive {
            // Closing a descriptor takes it out of the epoll.
            self.pairs[end.pair] = None;
            self.ended.push(end.pair);
        }
    }

    /// Lets the places of pairs that have ended be taken.
    pub(super) fn reuse(&mut self) {
        self.free.append(&mut self.ended);
    }
}

/// Writes everything, waiting where the peer is slow: a floor need not be fair. False: the peer takes nothing any more.
fn write_all(to: &mut TcpStream, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(taken) => bytes = &bytes[taken..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if poll(&mut [PollFd::new(to, PollFlags::OUT)], None).is_err() {
                    return false;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
    true
}
