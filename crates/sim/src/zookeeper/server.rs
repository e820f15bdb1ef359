//! What a ZooKeeper server does for its clients: sessions, requests in order, reads from what it has applied, watches.

use super::network::{Down, Op, Reply, Up};
use super::{Ask, Ensemble, Item, Role, Txn};
use crate::context::{Context, Event, MILLI, Micros};

impl Ensemble {
    /// A process opens a connection. None: nobody listens there, or the server cannot be reached.
    pub fn connect(&mut self, process: usize, server: usize) -> Option<usize> {
        if !self.servers[server].up {
            return None;
        }
        let conn = self.network.open(process, server);
        self.servers[server].conns.push(conn);
        Some(conn)
    }

    /// The next packet of a connection arrives at its server.
    pub fn to_server(&mut self, ctx: &mut Context, conn: usize) {
        let Some(packet) = self.network.arrive_up(ctx, conn) else { return };
        let server = self.network.conns[conn].server;
        if !self.network.conns[conn].server_open || !self.servers[server].up {
            return;
        }
        let session = self.network.conns[conn].session;
        if session != 0 {
            self.touch(server, session);
        }
        match packet {
            Up::Connect { session, seen } => self.on_connect(ctx, conn, session, seen),
            Up::Ping => self.network.send_down(ctx, conn, Down::Pong),
            Up::Ask(xid, op) => {
                self.network.conns[conn].work.push_back((xid, op));
                self.work(ctx, conn);
            }
            Up::SetWatches { seen, list, exists } => self.on_watches(ctx, conn, seen, (list, exists)),
            Up::CloseSession => self.ask(ctx, server, Ask::Close(session)),
            Up::End => self.forget(conn),
        }
    }

    /// A server takes no client that has seen more than it has itself.
    fn on_connect(&mut self, ctx: &mut Context, conn: usize, session: i64, seen: i64) {
        let server = self.network.conns[conn].server;
        if !self.servers[server].serving || seen > self.servers[server].tree.zxid {
            return self.hang_up(ctx, conn);
        }
        if session == 0 {
            return self.ask(ctx, server, Ask::Open(conn));
        }
        let earlier: Vec<usize> = self.servers[server].conns.clone();
        for other in earlier {
            if other != conn && self.network.conns[other].session == session {
                self.hang_up(ctx, other);
            }
        }
        self.ask(ctx, server, Ask::Revalidate(conn, session));
    }

    /// What has changed since is told at once.
    fn on_watches(&mut self, ctx: &mut Context, conn: usize, seen: i64, (list, exists): (bool, bool)) {
        let server = self.network.conns[conn].server;
        let tree = &self.servers[server].tree;
        let fires = tree.exists && (exists || (list && tree.pzxid > seen));
        if fires {
            return self.network.send_down(ctx, conn, Down::Changed);
        }
        let conn = &mut self.network.conns[conn];
        conn.watches_list |= list;
        conn.watches_exists |= exists;
    }

    /// Reads are answered at once from what the server has applied; the rest goes to the leader, one at a time.
    fn work(&mut self, ctx: &mut Context, id: usize) {
        loop {
            let conn = &mut self.network.conns[id];
            let (Some(&(xid, op)), false) = (conn.work.front(), conn.busy) else { return };
            let (server, session) = (conn.server, conn.session);
            if let Some(reply) = self.read(id, op) {
                self.network.conns[id].work.pop_front();
                let zxid = self.servers[server].tree.zxid;
                self.network.send_down(ctx, id, Down::Reply(xid, zxid, reply));
                continue;
            }
            self.network.conns[id].busy = true;
            let ask = if op == Op::Sync { Ask::Sync(id, session) } else { Ask::Write(id, session, op) };
            return self.ask(ctx, server, ask);
        }
    }

    /// The answer, if this is a read.
    fn read(&mut self, id: usize, op: Op) -> Option<Reply> {
        let conn = &mut self.network.conns[id];
        let tree = &self.servers[conn.server].tree;
        match op {
            Op::List if tree.exists => {
                conn.watches_list = true;
                let names = tree.children.iter().map(|znode| znode.sequence).collect();
                Some(Reply::Children(names, tree.pzxid))
            }
            Op::List => Some(Reply::Exists(false)),
            Op::Exists => {
                conn.watches_exists |= !tree.exists;
                Some(Reply::Exists(tree.exists))
            }
            Op::Read(sequence) => Some(Reply::Znode(tree.child(sequence))),
            Op::Sync | Op::EnsurePath | Op::Create { .. } | Op::Delete(_) => None,
        }
    }

    /// Sends a request to the leader this server follows, which may be itself.
    fn ask(&mut self, ctx: &mut Context, server: usize, ask: Ask) {
        let latency = ctx.latency();
        let it = &mut self.servers[server];
        let wait = match it.role {
            Role::Looking => return,
            Role::Leading => 10,
            Role::Following(_) => latency,
        };
        it.up_at = it.up_at.max(ctx.now + wait);
        it.up_line.push_back(ask);
        ctx.at(it.up_at, Event::ToLeader { server, link: it.link });
    }

    /// Tells a server something in the leader's stream.
    pub(super) fn tell(&mut self, ctx: &mut Context, server: usize, item: Item) {
        let latency = ctx.latency();
        let it = &mut self.servers[server];
        let wait: Micros = match it.role {
            Role::Leading => 10,
            _ if it.slow_until > ctx.now => latency + it.lag,
            _ => latency,
        };
        it.down_at = it.down_at.max(ctx.now + wait);
        it.down_line.push_back(item);
        ctx.at(it.down_at, Event::FromLeader { server, link: it.link });
    }

    /// The next item of the leader's stream arrives.
    pub fn from_leader(&mut self, ctx: &mut Context, server: usize, link: u32) {
        let it = &self.servers[server];
        if it.link != link {
            return;
        }
        if let Role::Following(leader) = it.role
            && !self.reaches(leader, server)
        {
            return ctx.at(self.partition_until.max(ctx.now + MILLI), Event::FromLeader { server, link });
        }
        match self.servers[server].down_line.pop_front() {
            Some(Item::Commit(place)) => self.apply_up_to(ctx, server, place),
            Some(Item::Moved(conn)) => self.hang_up(ctx, conn),
            Some(Item::Synced(conn)) => self.done(ctx, conn, Reply::Done),
            None => {}
        }
    }

    /// Whether this connection may go on with its session, the leader has said: a server that has heard of transactions and
    /// not applied them yet answers all the same.
    pub fn revalidated(&mut self, ctx: &mut Context, conn: usize, valid: bool) {
        self.answer_session(ctx, conn, valid);
    }

    fn answer_session(&mut self, ctx: &mut Context, conn: usize, valid: bool) {
        if !self.network.conns[conn].server_open {
            return;
        }
        let session = if valid { self.network.conns[conn].session } else { 0 };
        self.network.send_down(ctx, conn, Down::Session(session));
        if !valid {
            self.forget(conn);
        }
    }

    /// Applies the log up to and with this place.
    pub(super) fn apply_up_to(&mut self, ctx: &mut Context, server: usize, place: usize) {
        while self.servers[server].applied <= place {
            let txn = self.log[self.servers[server].applied].clone();
            self.servers[server].applied += 1;
            let changed = self.servers[server].tree.apply(txn.zxid, txn.change);
            if changed {
                self.fire(ctx, server);
            }
            self.after_apply(ctx, server, txn);
        }
    }

    /// Watches fire once, and before the answer to the request that fired them.
    fn fire(&mut self, ctx: &mut Context, server: usize) {
        let conns = std::mem::take(&mut self.servers[server].conns);
        for id in &conns {
            let conn = &mut self.network.conns[*id];
            let list = std::mem::take(&mut conn.watches_list);
            let exists = std::mem::take(&mut conn.watches_exists);
            if list || exists {
                self.network.send_down(ctx, *id, Down::Changed);
            }
        }
        self.servers[server].conns = conns;
    }

    fn after_apply(&mut self, ctx: &mut Context, server: usize, txn: Txn) {
        match (txn.change, txn.origin) {
            (super::Change::Open(session), Some((at, conn))) if at == server => {
                self.network.conns[conn].session = session;
                self.answer_session(ctx, conn, true);
            }
            (super::Change::Close(session), _) => {
                let conns = self.servers[server].conns.clone();
                for conn in conns {
                    if self.network.conns[conn].session == session {
                        self.hang_up(ctx, conn);
                    }
                }
            }
            (_, Some((at, conn))) if at == server => self.done(ctx, conn, txn.reply),
            _ => {}
        }
    }

    /// The first request of a connection was carried out. Whose session is another server's is hung up on, and will ask
    /// for it anew.
    fn done(&mut self, ctx: &mut Context, id: usize, reply: Reply) {
        if reply == Reply::Moved {
            return self.hang_up(ctx, id);
        }
        let conn = &mut self.network.conns[id];
        if !conn.server_open {
            return;
        }
        conn.busy = false;
        if let Some((xid, _)) = conn.work.pop_front() {
            let zxid = self.servers[conn.server].tree.zxid;
            self.network.send_down(ctx, id, Down::Reply(xid, zxid, reply));
        }
        self.work(ctx, id);
    }

    /// The server closes a connection.
    pub(super) fn hang_up(&mut self, ctx: &mut Context, conn: usize) {
        if self.network.conns[conn].server_open {
            self.network.send_down(ctx, conn, Down::End);
            self.forget(conn);
        }
    }

    /// The server leaves off a connection, and every watch it held for it.
    pub(super) fn forget(&mut self, id: usize) {
        let conn = &mut self.network.conns[id];
        conn.server_open = false;
        conn.work.clear();
        conn.watches_list = false;
        conn.watches_exists = false;
        self.servers[conn.server].conns.retain(|other| *other != id);
    }
}
