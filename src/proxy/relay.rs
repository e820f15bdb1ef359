//! Moves bytes between a client and its server until both directions have ended. One task polls both directions and
//! reads into the thread's one buffer; a session keeps only what its peer did not take yet. It owns half-close,
//! backpressure and byte counts; when to stop, and why, is its caller's.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::task::{Context, Poll};
use std::time::Instant;

use capitana_core::packet::{LastWord, STATUS_IN_TRANSACTION, is_quit, is_whole_command, ok_status};
use tokio::net::TcpStream;

use super::pipe::{Failed, Pipe};
use crate::sys;

pub use super::observer::Observer;
pub use super::pipe::BUFFER;

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
    /// The kernel gave this side up: it answered no more, or took nothing for `stall-timeout`.
    TimedOut(Side),
}

/// A pair of connections and what is on its way between them.
#[derive(Debug)]
pub struct Relay {
    client: TcpStream,
    upstream: TcpStream,
    to_upstream: Pipe,
    to_client: Pipe,
    first_end: Option<Side>,
    /// What the client has said since the server spoke.
    unanswered: Option<Unanswered>,
    /// Whether the client has taken its leave, so that it is for the server to close.
    leaving: bool,
    /// Whether what the client sends while it is not read counts as something on its way.
    patient: bool,
    /// What the server's last OK said, if its last bytes were just that.
    in_transaction: bool,
}

/// What the client has said since the server spoke.
#[derive(Debug, Clone, Copy)]
struct Unanswered {
    /// When bytes of it left last.
    at: Instant,
    /// Whether it is one command, whole, if packets can be read.
    command: bool,
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
        let to_client = Pipe::beginning_with(greeting);
        let to_upstream = Pipe::default();
        Self {
            client,
            upstream,
            to_upstream,
            to_client,
            first_end: None,
            unanswered: None,
            leaving: false,
            patient: false,
            in_transaction: false,
        }
    }

    /// A relay after the greeting, of which so many bytes have gone to the client: the server is to receive `login`
    /// first. The client's end stays here until `pass_end_to_upstream`.
    #[must_use]
    pub fn after_greeting(client: TcpStream, upstream: TcpStream, greeted: u64, login: Vec<u8>) -> Self {
        let mut relay = Self::new(client, upstream, Vec::new());
        relay.to_client.written = greeted;
        relay.to_upstream = Pipe::beginning_with(login);
        relay
    }

    /// The client is to receive these bytes of the server's first, before anything else is read. For a relay that has not
    /// moved any yet.
    pub fn owe_client(&mut self, bytes: Vec<u8>) {
        let written = self.to_client.written;
        self.to_client = Pipe::beginning_with(bytes);
        self.to_client.written = written;
    }

    /// The server's first bytes, until they have gone to the client.
    #[must_use]
    pub fn greeting(&self) -> &[u8] {
        self.to_client.kept()
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

    /// Whether the server was asked to close, which is the client's end however it comes about.
    #[must_use]
    pub fn client_leaves(&self) -> bool {
        self.leaving
    }

    /// Stops reading from the client. What was read goes on to the server. `patiently`: what the client sends from now on
    /// does not make the relay less quiet, as it is not going to be sent on.
    pub fn pause(&mut self, patiently: bool) {
        self.to_upstream.paused = true;
        self.patient = patiently;
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
            && self.to_upstream.is_empty()
            && self.to_client.is_empty()
            && (self.patient || empty(rustix::io::ioctl_fionread(&self.client)))
            && empty(rustix::io::ioctl_fionread(&self.upstream))
            && sys::unacknowledged(&self.upstream).is_ok_and(|bytes| bytes == 0)
    }

    /// Whether the server's last word, an OK that could be read, says that the session is in a transaction. InnoDB knows
    /// of a transaction only from its first statement on.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// When the client's last bytes left for the server; none if the server has spoken since.
    #[must_use]
    pub fn client_spoke(&self) -> Option<Instant> {
        self.unanswered.map(|unanswered| unanswered.at)
    }

    /// What a client is owed whose session ends now, if its packets can be read: nothing while it is idle or in the midst
    /// of an answer.
    #[must_use]
    pub fn last_word(&self) -> Option<LastWord> {
        if !self.to_client.is_empty() {
            return None;
        }
        match self.unanswered {
            // A command of which the server has only a part is not carried out.
            Some(Unanswered { command: true, .. }) if !self.to_upstream.is_empty() => Some(LastWord::NotSent),
            Some(Unanswered { command: true, .. }) => Some(LastWord::OutcomeUnknown),
            Some(Unanswered { command: false, .. }) => None,
            None => {
                let unread = rustix::io::ioctl_fionread(&self.client).is_ok_and(|bytes| bytes > 0);
                (unread && self.first_end.is_none()).then_some(LastWord::NotSent)
            }
        }
    }

    /// Lets the end of the server's direction go on to the client.
    pub fn pass_end_to_client(&mut self) {
        self.to_client.keeps_open = false;
    }

    /// Lets the end of the client's direction go on to the server.
    pub fn pass_end_to_upstream(&mut self) {
        self.to_upstream.keeps_open = false;
    }

    /// Gives both connections back, the client's first.
    #[must_use]
    pub fn into_both(self) -> (TcpStream, TcpStream) {
        (self.client, self.upstream)
    }

    /// Moves what can be moved now, through `buffer`.
    pub fn poll<O: Observer>(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &RefCell<Box<[u8]>>,
        observer: &mut O,
    ) -> Poll<Progress> {
        let buffer = &mut **buffer.borrow_mut();
        let spoken = self.to_client.read;
        let (mut unanswered, mut leaving) = (self.unanswered, self.leaving);
        let up = self.to_upstream.poll(cx, (&mut self.client, &mut self.upstream), buffer, |bytes| {
            let first = unanswered.is_none();
            leaving = first && is_quit(bytes);
            if !leaving {
                let command = first && is_whole_command(bytes);
                unanswered = Some(Unanswered { at: Instant::now(), command });
            }
            observer.to_upstream(bytes);
            // It closes first, and the TIME_WAIT is its: here it would keep one of the ports that dials need for a minute.
            leaving
        });
        let client_spoke = unanswered.is_some_and(|new| self.unanswered.is_none_or(|old| old.at != new.at));
        (self.unanswered, self.leaving) = (unanswered, leaving);
        let up = match up {
            Poll::Ready(Err(Failed::Read(how))) => return Poll::Ready(broken(Side::Client, how)),
            Poll::Ready(Err(Failed::Write(how @ ErrorKind::TimedOut))) => {
                return Poll::Ready(broken(Side::Upstream, how));
            }
            // A server that does not want a packet says so and closes, with the rest of the packet still coming:
            // what it has said stands to be read, and its own direction ends of itself.
            Poll::Ready(Err(Failed::Write(_))) => {
                self.to_upstream.broken = true;
                Poll::Ready(())
            }
            up => up.map(|_| ()),
        };
        // Whoever has ended its own direction waits for the end of the other.
        self.to_client.keeps_open &= !self.to_upstream.ended;
        let in_transaction = &mut self.in_transaction;
        let down = self.to_client.poll(cx, (&mut self.upstream, &mut self.client), buffer, |bytes| {
            *in_transaction = ok_status(bytes).is_some_and(|status| status & STATUS_IN_TRANSACTION != 0);
            observer.to_client(bytes);
            false
        });
        // If both spoke, the server's bytes may be older than the client's.
        if self.to_client.read > spoken && !client_spoke {
            self.unanswered = None;
        }
        if let Poll::Ready(Err(failed)) = down {
            return Poll::Ready(match failed {
                Failed::Read(how) => broken(Side::Upstream, how),
                Failed::Write(how) => broken(Side::Client, how),
            });
        }
        self.progress(up.is_ready() && down.is_ready(), observer.pause())
    }

    /// What a poll came to in which nothing failed. `done`: both directions have ended and been passed on.
    fn progress(&mut self, done: bool, pause: bool) -> Poll<Progress> {
        let known = self.first_end;
        self.first_end = known.or(match (self.to_upstream.ended, self.to_client.ended) {
            (true, _) => Some(Side::Client),
            (false, true) => Some(Side::Upstream),
            (false, false) => None,
        });
        match self.first_end {
            Some(side) if done => Poll::Ready(Progress::Ended(Ended::Closed(side))),
            Some(Side::Client) if self.to_upstream.keeps_open && !pause => {
                Poll::Ready(Progress::Ended(Ended::Closed(Side::Client)))
            }
            Some(Side::Upstream) if known.is_none() => Poll::Ready(Progress::UpstreamEnded),
            _ if pause => Poll::Ready(Progress::Paused),
            _ => Poll::Pending,
        }
    }
}

fn broken(side: Side, how: ErrorKind) -> Progress {
    Progress::Ended(if how == ErrorKind::TimedOut { Ended::TimedOut(side) } else { Ended::Failed(side) })
}
