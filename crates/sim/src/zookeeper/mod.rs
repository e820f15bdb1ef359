//! A model of a ZooKeeper ensemble: servers with their links to the leader, and the log of what a quorum acknowledged.
//! Requests of clients are in `server`, what the leader decides in `leader`, how one is found in `vote`.
//!
//! It keeps ZooKeeper's promises and its gaps: one order of transactions; followers that lag, and clients that are
//! refused where they have seen more; a leader that does not know yet that it is none, and answers `sync`; requests
//! that are carried out although nobody hears of it; sessions that only the leader ends, never before their timeout.

pub mod network;
pub mod tree;

mod leader;
mod server;
mod vote;

use std::collections::VecDeque;

use crate::context::{Context, MILLI, Micros};
use leader::Leader;
use network::{Network, Op, Reply};
use tree::{Change, Tree};

/// A transaction that a quorum has acknowledged.
#[derive(Debug, Clone)]
pub struct Txn {
    zxid: i64,
    change: Change,
    /// Who waits for it: a server and one of its connections.
    origin: Option<(usize, usize)>,
    reply: Reply,
}

/// What a follower asks of its leader for one of its connections.
#[derive(Debug, Clone, Copy)]
enum Ask {
    /// A new session.
    Open(usize),
    /// Go on with this session.
    Revalidate(usize, i64),
    /// A request that changes something.
    Write(usize, i64, Op),
    /// End this session.
    Close(i64),
    /// Tell when everything before has been told.
    Sync(usize, i64),
}

/// What a leader tells a follower, in order.
#[derive(Debug, Clone, Copy)]
enum Item {
    /// The log is acknowledged up to and with this place.
    Commit(usize),
    /// Everything before the `sync` of this connection has been told.
    Synced(usize),
    /// The session of this connection is over, or is another server's now.
    Moved(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Looking,
    Following(usize),
    Leading,
}

#[derive(Debug)]
struct Server {
    up: bool,
    /// Takes clients: has a leader, and is up to date with it.
    serving: bool,
    role: Role,
    /// Counts what became of its link to a leader.
    link: u32,
    /// Servers on different sides do not reach each other.
    side: u8,
    tree: Tree,
    applied: usize,
    up_line: VecDeque<Ask>,
    up_at: Micros,
    down_line: VecDeque<Item>,
    down_at: Micros,
    /// Until then the leader's stream arrives late by `lag`.
    slow_until: Micros,
    lag: Micros,
    /// Sessions whose clients gave a sign of life since the leader was last told.
    touched: Vec<i64>,
    conns: Vec<usize>,
    leader: Option<Box<Leader>>,
}

/// How an ensemble is configured.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Servers.
    pub servers: usize,
    /// The timeout of every session.
    pub session_timeout: Micros,
    /// ZooKeeper's `tickTime`.
    pub tick: Micros,
    /// How long leader and follower miss each other before they give up: ZooKeeper's `syncLimit` ticks.
    pub sync_limit: Micros,
    /// The number the first child will get.
    pub counter: i32,
}

/// The ensemble.
#[derive(Debug)]
pub struct Ensemble {
    /// Its configuration.
    pub setting: Setting,
    /// Its clients' connections.
    pub network: Network,
    /// What a quorum has acknowledged, whoever knows it.
    pub truth: Tree,
    servers: Vec<Server>,
    log: Vec<Txn>,
    term: u32,
    next_session: i64,
    /// Sessions that were told by a server that it leads while another one did, and when that was last.
    pub misled: Vec<(i64, Micros)>,
    /// Proposals of the last leader, which the next one may or may not have.
    orphans: Vec<Txn>,
    partition_until: Micros,
    vote_at: Option<Micros>,
}

impl Ensemble {
    /// Servers that have just been started, and will vote.
    #[must_use]
    pub fn new(setting: Setting, processes: usize) -> Self {
        let tree = Tree::new(setting.counter);
        let server = |_| Server {
            up: true,
            serving: false,
            role: Role::Looking,
            link: 0,
            side: 0,
            tree: tree.clone(),
            applied: 0,
            up_line: VecDeque::new(),
            up_at: 0,
            down_line: VecDeque::new(),
            down_at: 0,
            slow_until: 0,
            lag: 0,
            touched: Vec::new(),
            conns: Vec::new(),
            leader: None,
        };
        Self {
            network: Network::new(processes, setting.servers),
            servers: (0..setting.servers).map(server).collect(),
            truth: tree.clone(),
            setting,
            log: Vec::new(),
            term: 0,
            next_session: 1,
            misled: Vec::new(),
            orphans: Vec::new(),
            partition_until: 0,
            vote_at: None,
        }
    }

    /// How many servers a quorum has.
    fn quorum(&self) -> usize {
        self.servers.len() / 2 + 1
    }

    fn reaches(&self, a: usize, b: usize) -> bool {
        self.servers[a].up && self.servers[b].up && self.servers[a].side == self.servers[b].side
    }

    /// Whether some server leads, with a quorum or without knowing that it has none.
    #[must_use]
    pub fn has_leader(&self) -> bool {
        self.servers.iter().any(|server| server.leader.is_some())
    }

    /// The number of servers.
    #[must_use]
    pub fn size(&self) -> usize {
        self.servers.len()
    }

    /// Until then what the leader tells this server arrives late by `lag`.
    pub fn slow_down(&mut self, server: usize, lag: Micros, until: Micros) {
        self.servers[server].slow_until = until;
        self.servers[server].lag = lag;
    }

    /// Parts the servers: those on different sides do not reach each other until then.
    pub fn part(&mut self, ctx: &mut Context, sides: &[u8], until: Micros) {
        for (server, side) in self.servers.iter_mut().zip(sides) {
            server.side = *side;
        }
        self.partition_until = until;
        self.check_links(ctx);
    }

    /// The partition is over.
    pub fn heal(&mut self, ctx: &mut Context) {
        for server in &mut self.servers {
            server.side = 0;
            server.slow_until = 0;
        }
        self.partition_until = 0;
        self.call_vote(ctx, MILLI);
        self.find_out(ctx);
    }
}
