//! Owns one client that writes: what it does when its session breaks, and how it finds out whether a row was written.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Params, params};
use tokio_util::sync::CancellationToken;

use super::ledger::{Ledger, Timeline};
use crate::client;
use crate::galera::APP;

/// Between two rows of a client: twenty clients then write about 700 rows a second, which leaves a small machine room.
const PACE: Duration = Duration::from_millis(25);
/// How long a connection may take; capitana holds a client for 8 s by default.
const CONNECT: Duration = Duration::from_secs(30);
/// How long an old server may take to answer once.
const ANSWER: Duration = Duration::from_secs(1);
/// How long an old server may take to say that the statement of a lost session has ended.
const SETTLE: Duration = Duration::from_secs(15);

/// A client.
pub(super) struct Writer {
    client: usize,
    target: SocketAddr,
    /// Name and unix socket of each node.
    sockets: Arc<Vec<(String, PathBuf)>>,
    timeline: Arc<Timeline>,
    session: Option<Session>,
    /// The session whose answer for the row at hand was lost.
    lost: Option<Origin>,
    ledger: Ledger,
}

struct Session {
    conn: Conn,
    origin: Origin,
}

/// Which thread of which node a session is.
#[derive(Clone)]
struct Origin {
    node: String,
    thread: u32,
}

/// What a failed statement tells.
enum Failure {
    /// It has no effect, and may be repeated.
    Refused,
    /// The session is of no use any more, and the outcome is unknown.
    Broken(Error),
}

impl Writer {
    pub(super) fn new(
        client: usize,
        target: SocketAddr,
        sockets: Arc<Vec<(String, PathBuf)>>,
        timeline: Arc<Timeline>,
    ) -> Self {
        Self { client, target, sockets, timeline, session: None, lost: None, ledger: Ledger::default() }
    }

    /// Writes row after row until `stop`; the last one to its end.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Ledger {
        let mut seq = 0;
        while !stop.is_cancelled() {
            self.write(seq).await;
            self.ledger.acknowledged.push((self.client, seq));
            self.timeline.acknowledge(self.client);
            seq += 1;
            tokio::time::sleep(PACE).await;
        }
        if let Some(session) = self.session.take() {
            let _ = session.conn.disconnect().await;
        }
        self.ledger
    }

    /// Returns when the row is known to be written.
    async fn write(&mut self, seq: u64) {
        loop {
            let Some(mut session) = self.take_session().await else { continue };
            match self.attempt(&mut session, seq).await {
                Ok(()) => {
                    self.session = Some(session);
                    return;
                }
                Err(Failure::Refused) => {
                    self.ledger.refused += 1;
                    self.session = Some(session);
                    tokio::time::sleep(PACE).await;
                }
                Err(Failure::Broken(error)) => self.session_broke(&error),
            }
        }
    }

    async fn attempt(&mut self, session: &mut Session, seq: u64) -> Result<(), Failure> {
        if let Some(lost) = self.lost.clone() {
            self.settle(&lost).await;
            let written = self.look(session, seq).await?;
            self.lost = None;
            if written {
                self.ledger.found += 1;
                return Ok(());
            }
        }
        let row = params! { "client" => self.client, "seq" => seq };
        let insert = "INSERT INTO app.written (client, seq) VALUES (:client, :seq)";
        let outcome = session.execute(insert, row).await;
        if matches!(outcome, Err(Failure::Broken(_))) {
            self.lost = Some(session.origin.clone());
        }
        outcome
    }

    /// Whether a row is there. A write of our own comes first: the order of the cluster is certain only behind one, while
    /// the members agree on who is left, a row that one of them has may be unknown to the others.
    async fn look(&self, session: &mut Session, seq: u64) -> Result<bool, Failure> {
        let row = params! { "client" => self.client, "seq" => seq };
        session.execute("REPLACE INTO app.fence VALUES (:client, :seq)", row.clone()).await?;
        let select = "SELECT COUNT(*) FROM app.written WHERE client = :client AND seq = :seq";
        let count: Option<u64> = session.conn.exec_first(select, row).await.map_err(failure)?;
        Ok(count.unwrap_or_default() > 0)
    }

    /// Returns when the statement of a lost session has ended: a server may still be committing for a client that is gone.
    async fn settle(&mut self, lost: &Origin) {
        let Some((_, socket)) = self.sockets.iter().find(|(name, _)| *name == lost.node) else { return };
        let ended = async {
            while !has_ended(socket, lost.thread).await {
                tokio::time::sleep(PACE).await;
            }
        };
        if tokio::time::timeout(SETTLE, ended).await.is_err() {
            self.ledger.unsettled += 1;
        }
    }

    async fn take_session(&mut self) -> Option<Session> {
        if let Some(session) = self.session.take() {
            return Some(session);
        }
        let connect = tokio::time::timeout(CONNECT, client::connect(self.target, APP, APP));
        let connected = connect.await.map_err(|_| anyhow!("no session after {CONNECT:?}"));
        match connected.and_then(|connected| connected.map_err(Into::into)) {
            Ok(conn) => self.identify(conn).await,
            Err(error) => {
                let error = format!("connecting to {}: {error:#}", self.target);
                self.timeline.trouble(&error);
                self.ledger.connection_errors.push(error);
                tokio::time::sleep(PACE).await;
                None
            }
        }
    }

    async fn identify(&mut self, mut conn: Conn) -> Option<Session> {
        match conn.query_first::<String, _>("SELECT @@wsrep_node_name").await {
            Ok(node) => {
                let origin = Origin { node: node.unwrap_or_default(), thread: conn.id() };
                Some(Session { conn, origin })
            }
            Err(error) => {
                self.session_broke(&error);
                None
            }
        }
    }

    fn session_broke(&mut self, error: &Error) {
        let error = error.to_string();
        self.timeline.trouble(&error);
        self.ledger.broken_sessions.push(error);
    }
}

impl Session {
    async fn execute(&mut self, statement: &str, row: Params) -> Result<(), Failure> {
        self.conn.exec_drop(statement, row).await.map_err(failure)
    }
}

/// Whether a thread is gone from a server. A server that is dead commits nothing any more; one that is silent may.
async fn has_ended(socket: &Path, thread: u32) -> bool {
    let ask = async {
        let Ok(mut root) = client::connect_root(socket).await else { return true };
        let query = format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = {thread}");
        let left: mysql_async::Result<Option<u64>> = root.query_first(query).await;
        left.is_ok_and(|left| left == Some(0))
    };
    tokio::time::timeout(ANSWER, ask).await.unwrap_or(false)
}

/// Deadlock, lock wait timeout, a node that accepts no statements, and one that is read-only: the server says that nothing
/// was written.
fn failure(error: Error) -> Failure {
    match error {
        Error::Server(ref server) if [1213, 1205, 1047, 1290].contains(&server.code) => Failure::Refused,
        error => Failure::Broken(error),
    }
}
