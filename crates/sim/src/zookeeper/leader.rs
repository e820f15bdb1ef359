//! What the leader decides: the order of transactions, which request is refused, which session is over. Its proposals
//! become part of the log once a quorum follows it; those of a leader that fell in between may or may not.

use std::collections::VecDeque;

use super::network::{Op, Reply};
use super::tree::{Change, Tree, Znode};
use super::{Ask, Ensemble, Item, Role, Txn};
use crate::context::{Context, Event, MILLI, Micros};

/// A session, as the leader tracks it.
#[derive(Debug)]
struct Tracked {
    id: i64,
    expires: Micros,
    /// The server its client is connected to; requests through another one are refused.
    owner: Option<usize>,
}

#[derive(Debug)]
struct Proposal {
    txn: Txn,
    /// Whether a quorum was there when it was sent, so that the next leader may have it.
    sent: bool,
    /// Connections, with their servers, whose `sync` waits for it.
    syncs: Vec<(usize, usize)>,
}

/// A leader of one term.
#[derive(Debug)]
pub struct Leader {
    pub term: u32,
    count: i64,
    /// The state with everything that was proposed.
    ahead: Tree,
    pending: VecDeque<Proposal>,
    sessions: Vec<Tracked>,
}

impl Leader {
    /// Whether this session lives, and its client is connected to this server.
    fn owns(&self, server: usize, session: i64) -> bool {
        self.sessions.iter().any(|tracked| tracked.id == session && tracked.owner == Some(server))
    }

    /// What the next leader may have of what this one proposed.
    pub fn sent(&self) -> Vec<Txn> {
        self.pending.iter().take_while(|p| p.sent).map(|p| Txn { origin: None, ..p.txn.clone() }).collect()
    }
}

impl Ensemble {
    /// This server leads from now on. Every session gets its whole timeout anew.
    pub(super) fn lead(&mut self, ctx: &mut Context, server: usize) {
        self.term += 1;
        let ahead = self.truth.clone();
        let expires = self.expiry(ctx.now);
        let tracked = |id: &i64| Tracked { id: *id, expires, owner: None };
        let sessions = ahead.sessions.iter().map(tracked).collect();
        let leader = Leader { term: self.term, count: 0, ahead, pending: VecDeque::new(), sessions };
        self.servers[server].leader = Some(Box::new(leader));
        ctx.after(self.setting.tick / 2, Event::LeaderTick { server, term: self.term });
    }

    /// Sessions end in batches, once a tick: never before their timeout, and up to a tick later.
    fn expiry(&self, now: Micros) -> Micros {
        let tick = self.setting.tick;
        ((now + self.setting.session_timeout) / tick + 1) * tick
    }

    /// How many servers follow this one and reach it.
    pub(super) fn followers(&self, leader: usize) -> usize {
        let follows =
            |s: &usize| self.servers[*s].role == Role::Following(leader) && self.reaches(*s, leader);
        (0..self.servers.len()).filter(follows).count()
    }

    /// A server heard from a client. The leader hears of it with the next tick.
    pub(super) fn touch(&mut self, server: usize, session: i64) {
        let touched = &mut self.servers[server].touched;
        if !touched.contains(&session) {
            touched.push(session);
        }
    }

    /// The next request of a server arrives at its leader.
    pub fn to_leader(&mut self, ctx: &mut Context, server: usize, link: u32) {
        if self.servers[server].link != link {
            return;
        }
        let leader = match self.servers[server].role {
            Role::Looking => return,
            Role::Leading => server,
            Role::Following(leader) => leader,
        };
        if leader != server && !self.reaches(leader, server) {
            return ctx.at(self.partition_until.max(ctx.now + MILLI), Event::ToLeader { server, link });
        }
        if let Some(ask) = self.servers[server].up_line.pop_front() {
            self.on_ask(ctx, (leader, server), ask);
        }
    }

    fn on_ask(&mut self, ctx: &mut Context, (at, from): (usize, usize), ask: Ask) {
        match ask {
            Ask::Open(conn) => {
                let id = self.next_session;
                self.next_session += 1;
                let expires = self.expiry(ctx.now);
                if let Some(leader) = &mut self.servers[at].leader {
                    leader.sessions.push(Tracked { id, expires, owner: Some(from) });
                }
                self.propose(ctx, at, Change::Open(id), (Some((from, conn)), Reply::Done));
            }
            Ask::Revalidate(conn, session) => self.revalidate(ctx, (at, from), conn, session),
            Ask::Close(session) => self.end_session(ctx, at, session),
            Ask::Write(conn, session, op) => {
                let (change, reply) = self.judge(at, from, session, op);
                self.propose(ctx, at, change, (Some((from, conn)), reply));
            }
            Ask::Sync(conn, session) => self.on_sync(ctx, at, (from, conn), session),
        }
    }

    fn revalidate(&mut self, ctx: &mut Context, (at, from): (usize, usize), conn: usize, session: i64) {
        let expires = self.expiry(ctx.now);
        let Some(leader) = &mut self.servers[at].leader else { return };
        let tracked = leader.sessions.iter_mut().find(|tracked| tracked.id == session);
        let valid = tracked.is_some();
        if let Some(tracked) = tracked {
            tracked.owner = Some(from);
            tracked.expires = expires;
            self.network.conns[conn].session = session;
        }
        let wait = if at == from { 10 } else { ctx.latency() };
        ctx.after(wait, Event::Revalidated { conn, valid });
    }

    /// Answered at once where nothing is on its way: also by one who is not the leader any more and does not know.
    fn on_sync(&mut self, ctx: &mut Context, at: usize, (from, conn): (usize, usize), session: i64) {
        let Some(leader) = &mut self.servers[at].leader else { return };
        if !leader.owns(from, session) {
            return self.tell(ctx, from, Item::Moved(conn));
        }
        if leader.term < self.term {
            self.misled.retain(|(other, _)| *other != session);
            self.misled.push((session, ctx.now));
        }
        match leader.pending.back_mut() {
            Some(last) => last.syncs.push((from, conn)),
            None => self.tell(ctx, from, Item::Synced(conn)),
        }
    }

    /// What a request changes, and its answer.
    fn judge(&self, at: usize, from: usize, session: i64, op: Op) -> (Change, Reply) {
        let refused = (Change::Nothing, Reply::Refused);
        let Some(leader) = &self.servers[at].leader else { return refused };
        if !leader.owns(from, session) {
            return (Change::Nothing, Reply::Moved);
        }
        match op {
            Op::EnsurePath if leader.ahead.exists => (Change::Nothing, Reply::Done),
            Op::EnsurePath => (Change::Parent, Reply::Done),
            Op::Create { node, guid } if leader.ahead.exists => {
                let czxid = i64::from(leader.term) << 32 | (leader.count + 1);
                let znode = Znode { sequence: leader.ahead.counter, czxid, session, node, guid };
                (Change::Create(znode), Reply::Znode(Some(znode)))
            }
            Op::Delete(sequence) if leader.ahead.child(sequence).is_some() => {
                (Change::Delete(sequence), Reply::Done)
            }
            // Gone is gone.
            Op::Delete(_) => (Change::Nothing, Reply::Done),
            _ => refused,
        }
    }

    fn propose(
        &mut self,
        ctx: &mut Context,
        server: usize,
        change: Change,
        (origin, reply): (Option<(usize, usize)>, Reply),
    ) {
        let sent = self.followers(server) + 1 >= self.quorum();
        // Its followers' disks are slow now and then.
        let disk = if ctx.random.percent(3) { ctx.random.below(500 * MILLI) } else { 0 };
        let wait = ctx.latency() + ctx.latency() + disk;
        let Some(leader) = &mut self.servers[server].leader else { return };
        leader.count += 1;
        let zxid = i64::from(leader.term) << 32 | leader.count;
        leader.ahead.apply(zxid, change);
        let txn = Txn { zxid, change, origin, reply };
        leader.pending.push_back(Proposal { txn, sent, syncs: Vec::new() });
        ctx.after(wait, Event::Acknowledged { server, term: leader.term });
    }

    /// A quorum has the oldest proposal, if there still is one.
    pub fn acknowledged(&mut self, ctx: &mut Context, server: usize, term: u32) {
        if !self.leads(server, term) {
            return;
        }
        if self.followers(server) + 1 < self.quorum() {
            return ctx
                .at(self.partition_until.max(ctx.now + 20 * MILLI), Event::Acknowledged { server, term });
        }
        let proposal = self.servers[server].leader.as_mut().and_then(|leader| leader.pending.pop_front());
        let Some(proposal) = proposal else { return };
        self.append(ctx, proposal.txn);
        self.spread(ctx, server);
        for (from, conn) in proposal.syncs {
            self.tell(ctx, from, Item::Synced(conn));
        }
    }

    fn leads(&self, server: usize, term: u32) -> bool {
        self.servers[server].leader.as_ref().is_some_and(|leader| leader.term == term)
    }

    /// A transaction becomes part of the log.
    pub(super) fn append(&mut self, ctx: &mut Context, txn: Txn) {
        self.truth.apply(txn.zxid, txn.change);
        if !matches!(txn.change, Change::Nothing) {
            ctx.say(|| format!("zookeeper: {:#x} {:?}", txn.zxid, txn.change));
        }
        self.log.push(txn);
    }

    /// Tells the leader itself and everybody who follows it of the end of the log.
    fn spread(&mut self, ctx: &mut Context, leader: usize) {
        let place = self.log.len() - 1;
        for server in 0..self.servers.len() {
            if self.servers[server].role == Role::Following(leader) && self.servers[server].serving {
                self.tell(ctx, server, Item::Commit(place));
            }
        }
        self.tell(ctx, leader, Item::Commit(place));
    }

    /// Hears of clients' signs of life, and ends the sessions of those who gave none.
    pub fn leader_tick(&mut self, ctx: &mut Context, server: usize, term: u32) {
        if !self.leads(server, term) {
            return;
        }
        let expires = self.expiry(ctx.now);
        for other in 0..self.servers.len() {
            let follows = self.servers[other].role == Role::Following(server) && self.reaches(other, server);
            if other == server || follows {
                let touched = std::mem::take(&mut self.servers[other].touched);
                let Some(leader) = &mut self.servers[server].leader else { return };
                for tracked in &mut leader.sessions {
                    if touched.contains(&tracked.id) {
                        tracked.expires = expires;
                    }
                }
            }
        }
        self.expire(ctx, server);
        ctx.after(self.setting.tick / 2, Event::LeaderTick { server, term });
    }

    fn expire(&mut self, ctx: &mut Context, server: usize) {
        let Some(leader) = &self.servers[server].leader else { return };
        let over: Vec<i64> = leader.sessions.iter().filter(|t| t.expires <= ctx.now).map(|t| t.id).collect();
        for session in over {
            ctx.say(|| format!("zookeeper: session {session} has expired"));
            self.end_session(ctx, server, session);
        }
    }

    /// From now on its requests are refused; what it owns goes with the transaction.
    fn end_session(&mut self, ctx: &mut Context, server: usize, session: i64) {
        let Some(leader) = &mut self.servers[server].leader else { return };
        let before = leader.sessions.len();
        leader.sessions.retain(|tracked| tracked.id != session);
        if leader.sessions.len() != before {
            self.propose(ctx, server, Change::Close(session), (None, Reply::Done));
        }
    }
}
