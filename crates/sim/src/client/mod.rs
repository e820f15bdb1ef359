//! The ZooKeeper client library as it behaves (`zookeeper-client` 0.11): it keeps a session over connections, sends
//! signs of life, gives up a silent connection after 2/5 of the session timeout and the session after 7/5, tells its
//! user of both, and registers one-shot watches anew with each connection. It decides nothing about the election.

mod attempts;

use std::collections::VecDeque;

use crate::context::{Context, MILLI, Micros};
use crate::zookeeper::Ensemble;
use crate::zookeeper::network::{Down, Op, Reply, Up};

/// What everything outside the processes is to them.
#[derive(Debug)]
pub struct Net {
    /// Time, chance and the trace.
    pub ctx: Context,
    /// ZooKeeper.
    pub zookeeper: Ensemble,
}

/// What the library tells its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A session has begun, or goes on, as was asked.
    Opened(i64),
    /// No server gave a session.
    NotOpened,
    /// The session has a connection again.
    LinkUp,
    /// The session has no connection.
    LinkDown,
    /// The session is over.
    Over,
    /// A request was answered; none: its outcome is unknown.
    Answered(u32, Option<Reply>),
    /// A watch has fired.
    Changed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Asked for nothing.
    Idle,
    /// Looks for the first connection of a session: each server is tried once.
    Opening,
    /// Has lost its connection and looks for another.
    Connecting,
    Connected,
}

/// One user of the library.
#[derive(Debug)]
pub struct Client {
    process: usize,
    timeout: Micros,
    state: State,
    /// Its session; 0 for none.
    pub session: i64,
    seen: i64,
    /// Whether it tells servers that it has seen nothing yet.
    forgetful: bool,
    conn: Option<usize>,
    last_recv: Micros,
    last_send: Micros,
    ping_out: bool,
    watches_list: bool,
    watches_exists: bool,
    outstanding: VecDeque<u32>,
    next_xid: u32,
    order: Vec<usize>,
    tried: usize,
    /// When the attempt that is under way is given up, or the next one begins.
    attempt_until: Micros,
    /// From then on a failed attempt ends the session.
    over_at: Micros,
    told: VecDeque<Told>,
}

impl Client {
    /// A library that was asked for nothing yet.
    #[must_use]
    pub fn new(process: usize, servers: usize, timeout: Micros) -> Self {
        Self {
            process,
            timeout,
            state: State::Idle,
            session: 0,
            seen: 0,
            forgetful: false,
            conn: None,
            last_recv: 0,
            last_send: 0,
            ping_out: false,
            watches_list: false,
            watches_exists: false,
            outstanding: VecDeque::new(),
            next_xid: 0,
            order: (0..servers).collect(),
            tried: 0,
            attempt_until: 0,
            over_at: 0,
            told: VecDeque::new(),
        }
    }

    /// The same; `forgetful`: it tells servers that it has seen nothing yet.
    #[must_use]
    pub fn forgetful(self, forgetful: bool) -> Self {
        Self { forgetful, ..self }
    }

    /// Whose it is.
    #[must_use]
    pub fn process(&self) -> usize {
        self.process
    }

    /// What its user has not been told yet.
    pub fn next_told(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// Makes a request; the answer names the number. Without a connection its outcome is unknown at once.
    pub fn ask(&mut self, net: &mut Net, op: Op) -> u32 {
        self.next_xid += 1;
        match (self.state, self.conn) {
            (State::Connected, Some(conn)) => {
                self.outstanding.push_back(self.next_xid);
                self.last_send = net.ctx.now;
                net.zookeeper.network.send_up(&mut net.ctx, conn, Up::Ask(self.next_xid, op));
            }
            _ => self.told.push_back(Told::Answered(self.next_xid, None)),
        }
        self.next_xid
    }

    /// Leaves off its session without ending it. What was asked may still be carried out.
    pub fn leave(&mut self, net: &mut Net) {
        self.close(net);
        self.state = State::Idle;
        self.outstanding.clear();
        self.told.clear();
        self.watches_list = false;
        self.watches_exists = false;
    }

    /// Ends its session.
    pub fn end(&mut self, net: &mut Net) {
        if let (State::Connected, Some(conn)) = (self.state, self.conn) {
            net.zookeeper.network.send_up(&mut net.ctx, conn, Up::CloseSession);
        }
        self.leave(net);
        self.session = 0;
    }

    /// What a process that is started anew does not know.
    pub fn forget_what_was_seen(&mut self) {
        self.seen = 0;
    }

    fn close(&mut self, net: &mut Net) {
        if let Some(conn) = self.conn.take() {
            net.zookeeper.network.conns[conn].client_open = false;
            net.zookeeper.network.send_up(&mut net.ctx, conn, Up::End);
        }
    }

    /// When it has to be woken next.
    #[must_use]
    pub fn due(&self) -> Micros {
        match self.state {
            State::Idle => Micros::MAX,
            State::Opening | State::Connecting => self.attempt_until,
            State::Connected if self.ping_out => self.silent_at(),
            State::Connected => self.silent_at().min(self.ping_at()),
        }
    }

    fn silent_at(&self) -> Micros {
        self.last_recv + self.timeout * 2 / 5
    }

    fn ping_at(&self) -> Micros {
        self.last_send + self.timeout * 3 / 20
    }

    /// Does what is due.
    pub fn on_time(&mut self, net: &mut Net) {
        let now = net.ctx.now;
        match self.state {
            State::Idle => {}
            State::Opening | State::Connecting if now >= self.attempt_until => self.attempt(net),
            State::Opening | State::Connecting => {}
            State::Connected if now >= self.silent_at() => self.disconnect(net),
            State::Connected if !self.ping_out && now >= self.ping_at() => self.ping(net),
            State::Connected => {}
        }
    }

    fn ping(&mut self, net: &mut Net) {
        if let Some(conn) = self.conn {
            self.ping_out = true;
            self.last_send = net.ctx.now;
            net.zookeeper.network.send_up(&mut net.ctx, conn, Up::Ping);
        }
    }

    fn disconnect(&mut self, net: &mut Net) {
        self.close(net);
        self.over_at = self.last_recv + self.timeout * 7 / 5;
        self.state = State::Connecting;
        self.told.push_back(Told::LinkDown);
        for xid in std::mem::take(&mut self.outstanding) {
            self.told.push_back(Told::Answered(xid, None));
        }
        self.tried = 0;
        self.shuffle(net);
        self.attempt_until = net.ctx.now + MILLI;
    }

    /// The next packet of a connection arrives.
    pub fn on_packet(&mut self, net: &mut Net, conn: usize) {
        let Some(packet) = net.zookeeper.network.arrive_down(&mut net.ctx, conn) else { return };
        if self.conn != Some(conn) {
            return;
        }
        match packet {
            Down::End if self.state == State::Connected => self.disconnect(net),
            Down::End => self.hung_up(net),
            Down::Session(0) => self.expired(net),
            Down::Session(session) => self.connected(net, session),
            Down::Pong => self.ping_out = false,
            Down::Reply(xid, zxid, reply) => {
                self.seen = self.seen.max(zxid);
                if self.outstanding.front() == Some(&xid) {
                    self.outstanding.pop_front();
                    self.note_watch(&reply);
                    self.told.push_back(Told::Answered(xid, Some(reply)));
                }
            }
            Down::Changed => {
                self.watches_list = false;
                self.watches_exists = false;
                self.told.push_back(Told::Changed);
            }
        }
        self.last_recv = net.ctx.now;
    }

    fn note_watch(&mut self, reply: &Reply) {
        match reply {
            Reply::Children(..) => self.watches_list = true,
            Reply::Exists(false) => self.watches_exists = true,
            _ => {}
        }
    }
}
