//! The connections between clients and servers of ZooKeeper: each keeps its order, all together do not. A cut holds
//! packets up, as TCP does; whether the connection survives that is decided by the ends.

use std::collections::VecDeque;

use super::tree::Znode;
use crate::context::{Context, Event, Micros};

/// A request to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Bring this server up to what the leader knows.
    Sync,
    /// List the children and leave a watch.
    List,
    /// Ask for the election path and leave a watch.
    Exists,
    /// Read the child with this number.
    Read(i32),
    /// Create the election path.
    EnsurePath,
    /// Create a child with this node and GUID in its data.
    Create {
        /// The node.
        node: usize,
        /// The GUID.
        guid: u32,
    },
    /// Delete the child with this number.
    Delete(i32),
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Carried out.
    Done,
    /// The children: their numbers, and the `pzxid` of their list.
    Children(Vec<i32>, i64),
    /// Whether the election path exists.
    Exists(bool),
    /// The znode that was read or created; none if there is none.
    Znode(Option<Znode>),
    /// The request was refused: the path does not exist.
    Refused,
    /// The session is over, or is another server's now. No client is sent this: the connection is closed.
    Moved,
}

/// What a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Up {
    /// The beginning: the session to go on with, or 0, and the last zxid that was seen.
    Connect {
        /// The session.
        session: i64,
        /// The zxid.
        seen: i64,
    },
    /// A sign of life.
    Ping,
    /// A request.
    Ask(u32, Op),
    /// The watches of the connection before, and the last zxid that was seen.
    SetWatches {
        /// The zxid.
        seen: i64,
        /// Whether the list of children is watched.
        list: bool,
        /// Whether the path's coming into being is watched.
        exists: bool,
    },
    /// End the session.
    CloseSession,
    /// The client has closed the connection.
    End,
}

/// What a server sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Down {
    /// The session of this connection; 0: it is over.
    Session(i64),
    /// The answer to a sign of life.
    Pong,
    /// The answer to a request, with the zxid the server had applied.
    Reply(u32, i64, Reply),
    /// A watch has fired.
    Changed,
    /// The server has closed the connection.
    End,
}

/// One connection. Its two ends learn of each other's end when the packet that says so arrives.
#[derive(Debug)]
pub struct Conn {
    /// The process at the client's end.
    pub process: usize,
    /// The server.
    pub server: usize,
    /// Whether the client uses it.
    pub client_open: bool,
    /// Whether the server uses it.
    pub server_open: bool,
    /// Its session, as the server knows it; 0 at first.
    pub session: i64,
    /// Whether the server will tell of a change of the list.
    pub watches_list: bool,
    /// Whether the server will tell when the path comes into being.
    pub watches_exists: bool,
    /// Requests in order; the first one is with the leader if `busy`.
    pub work: VecDeque<(u32, Op)>,
    /// Whether the first request is with the leader.
    pub busy: bool,
    up: VecDeque<Up>,
    down: VecDeque<Down>,
    up_at: Micros,
    down_at: Micros,
}

/// Every connection of a run, and what is cut.
#[derive(Debug)]
pub struct Network {
    /// The connections.
    pub conns: Vec<Conn>,
    /// Until when packets from this process to this server are held up.
    up_cut: Vec<Vec<Micros>>,
    down_cut: Vec<Vec<Micros>>,
}

impl Network {
    /// No connections yet.
    #[must_use]
    pub fn new(processes: usize, servers: usize) -> Self {
        let whole = vec![vec![0; servers]; processes];
        Self { conns: Vec::new(), up_cut: whole.clone(), down_cut: whole }
    }

    /// Cuts a process from a server until then, in one direction or both.
    pub fn cut(&mut self, process: usize, server: usize, until: Micros, (up, down): (bool, bool)) {
        let lengthen = |cut: &mut Micros, yes: bool| *cut = if yes { until.max(*cut) } else { *cut };
        lengthen(&mut self.up_cut[process][server], up);
        lengthen(&mut self.down_cut[process][server], down);
    }

    /// Whether packets go from this process to this server and back.
    #[must_use]
    pub fn is_whole(&self, process: usize, server: usize, now: Micros) -> bool {
        self.up_cut[process][server] <= now && self.down_cut[process][server] <= now
    }

    /// A new connection.
    pub fn open(&mut self, process: usize, server: usize) -> usize {
        self.conns.push(Conn {
            process,
            server,
            client_open: true,
            server_open: true,
            session: 0,
            watches_list: false,
            watches_exists: false,
            work: VecDeque::new(),
            busy: false,
            up: VecDeque::new(),
            down: VecDeque::new(),
            up_at: 0,
            down_at: 0,
        });
        self.conns.len() - 1
    }

    /// Sends a packet to the server.
    pub fn send_up(&mut self, ctx: &mut Context, conn: usize, packet: Up) {
        let at = ctx.now + ctx.latency();
        let conn_ = &mut self.conns[conn];
        conn_.up_at = at.max(conn_.up_at);
        conn_.up.push_back(packet);
        ctx.at(conn_.up_at, Event::ToServer(conn));
    }

    /// Sends a packet to the client.
    pub fn send_down(&mut self, ctx: &mut Context, conn: usize, packet: Down) {
        let at = ctx.now + ctx.latency();
        let conn_ = &mut self.conns[conn];
        conn_.down_at = at.max(conn_.down_at);
        conn_.down.push_back(packet);
        ctx.at(conn_.down_at, Event::ToClient(conn));
    }

    /// The packet that arrives at the server now. None: it is held up.
    pub fn arrive_up(&mut self, ctx: &mut Context, conn: usize) -> Option<Up> {
        let conn_ = &mut self.conns[conn];
        let until = self.up_cut[conn_.process][conn_.server];
        if until > ctx.now {
            ctx.at(until, Event::ToServer(conn));
            return None;
        }
        conn_.up.pop_front()
    }

    /// The packet that arrives at the client now. None: it is held up.
    pub fn arrive_down(&mut self, ctx: &mut Context, conn: usize) -> Option<Down> {
        let conn_ = &mut self.conns[conn];
        let until = self.down_cut[conn_.process][conn_.server];
        if until > ctx.now {
            ctx.at(until, Event::ToClient(conn));
            return None;
        }
        conn_.down.pop_front()
    }
}
