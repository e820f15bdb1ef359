//! How the library comes by a connection: each server is tried in turn, in an order of its own, and the session is given
//! up when that has taken too long.

use super::{Client, Net, State, Told};
use crate::context::{MILLI, Micros};
use crate::zookeeper::network::Up;

impl Client {
    /// Opens a session, or goes on with this one if ZooKeeper still has it; 0 for a new one.
    pub fn open(&mut self, net: &mut Net, session: i64) {
        self.leave(net);
        if session == 0 || session != self.session {
            self.seen = 0;
        }
        self.session = session;
        self.state = State::Opening;
        self.tried = 0;
        self.shuffle(net);
        self.attempt(net);
    }

    pub(super) fn shuffle(&mut self, net: &mut Net) {
        for i in (1..self.order.len()).rev() {
            let j = net.ctx.random.index(i + 1);
            self.order.swap(i, j);
        }
    }

    /// The next attempt to connect, after the one before has failed.
    pub(super) fn attempt(&mut self, net: &mut Net) {
        self.close(net);
        let (now, all) = (net.ctx.now, self.order.len());
        match self.state {
            State::Opening if self.tried >= all => {
                self.state = State::Idle;
                return self.told.push_back(Told::NotOpened);
            }
            State::Connecting if self.tried > 0 && now >= self.over_at => {
                self.state = State::Idle;
                return self.told.push_back(Told::Over);
            }
            _ => {}
        }
        let server = self.order[self.tried % all];
        let round = self.tried / all;
        self.tried += 1;
        let pause = self.pause(round);
        if !net.zookeeper.network.is_whole(self.process, server, now) {
            self.attempt_until = now + self.timeout * 2 / 5;
            return;
        }
        let Some(conn) = net.zookeeper.connect(self.process, server) else {
            self.attempt_until = now + pause;
            return;
        };
        self.conn = Some(conn);
        self.ping_out = false;
        self.attempt_until = now + self.timeout * 2 / 5;
        self.last_recv = now;
        self.last_send = now;
        self.send_connect(net, conn);
    }

    /// The first round has no pauses; later ones have longer and longer ones.
    fn pause(&self, round: usize) -> Micros {
        if round == 0 { MILLI } else { (100 * MILLI * (1 << round.min(4))).min(self.timeout / 4) }
    }

    fn send_connect(&self, net: &mut Net, conn: usize) {
        let up = |net: &mut Net, packet| net.zookeeper.network.send_up(&mut net.ctx, conn, packet);
        up(net, Up::Connect { session: self.session, seen: if self.forgetful { 0 } else { self.seen } });
        if self.watches_list || self.watches_exists {
            let (list, exists) = (self.watches_list, self.watches_exists);
            up(net, Up::SetWatches { seen: self.seen, list, exists });
        }
    }

    /// A server that does not want this client is left for the next one.
    pub(super) fn hung_up(&mut self, net: &mut Net) {
        self.conn = None;
        self.attempt_until = net.ctx.now + self.pause(self.tried / self.order.len());
    }

    pub(super) fn connected(&mut self, net: &mut Net, session: i64) {
        let first = self.state == State::Opening;
        self.session = session;
        self.state = State::Connected;
        self.told.push_back(if first { Told::Opened(session) } else { Told::LinkUp });
        self.ping(net);
    }

    /// Where a session was to go on that ZooKeeper does not know any more, a new one is opened.
    pub(super) fn expired(&mut self, net: &mut Net) {
        if self.state == State::Opening && self.session != 0 {
            return self.open(net, 0);
        }
        self.close(net);
        self.state = State::Idle;
        self.told.push_back(Told::Over);
    }
}
