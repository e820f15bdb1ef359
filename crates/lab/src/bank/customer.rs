//! Owns one customer: what it does when its session breaks, and how it finds out whether a transfer was carried out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tokio_util::sync::CancellationToken;

use super::ACCOUNTS;
use super::record::{Broken, Record};
use crate::client;
use crate::galera::APP;

/// Between two transfers: a hundred customers then make about 200 a second, of five statements each.
const THINK: std::ops::Range<u64> = 200..800;
/// Between two statements of a transfer, in milliseconds: at any moment some transactions are open.
const THINK_WITHIN: std::ops::Range<u64> = 0..6;
/// How long a connection may take; capitana holds a client for 8 s by default.
const CONNECT: Duration = Duration::from_secs(30);
/// Before an attempt is repeated on the same session, and after a connection that failed.
const PAUSE: Duration = Duration::from_millis(20);
/// Before each statement of a transfer but the first.
type Pauses = [Duration; 4];

/// A customer.
pub(super) struct Customer {
    number: usize,
    target: SocketAddr,
    random: Rng,
    record: Arc<Record>,
    session: Option<Session>,
    /// The transfer at hand: those before it are known to be carried out.
    seq: u64,
    /// Whether the transfer at hand was sent to be committed, on a session that broke then.
    in_doubt: bool,
}

struct Session {
    conn: Conn,
    opened: Instant,
}

/// How a transfer ended that was not acknowledged.
enum Failure {
    /// It has no effect, and may be repeated on the same session.
    Refused,
    /// The journal has it already.
    Written,
    /// The session is of no use any more.
    Broken { when: Broken, in_doubt: bool, error: Error },
}

impl Customer {
    pub(super) fn new(number: usize, target: SocketAddr, random: Rng, record: Arc<Record>) -> Self {
        Self { number, target, random, record, session: None, seq: 0, in_doubt: false }
    }

    /// Makes transfer after transfer until `stop`; the last one to its end.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        // Not all at the same moment.
        let mut think = self.random.u64(0..THINK.end);
        while stop.run_until_cancelled(tokio::time::sleep(Duration::from_millis(think))).await.is_some() {
            self.transfer().await;
            self.seq += 1;
            think = self.random.u64(THINK);
        }
        if let Some(session) = self.session.take() {
            let _ = session.conn.disconnect().await;
        }
    }

    /// Returns when the transfer is known to be carried out.
    async fn transfer(&mut self) {
        let statements = statements(self.number, self.seq, &mut self.random);
        let mut pauses = [(); 4].map(|()| Duration::from_millis(self.random.u64(THINK_WITHIN)));
        loop {
            let Some(mut session) = self.take_session().await else { continue };
            if std::mem::take(&mut self.in_doubt) {
                // The journal, asked when the session was opened, says that it is there.
                self.record.found(self.number);
                self.session = Some(session);
                return;
            }
            match session.attempt(&statements, pauses).await {
                Ok(()) => self.record.acknowledge(self.number, session.opened),
                Err(Failure::Written) => self.record.found(self.number),
                Err(Failure::Refused) => {
                    self.record.refused();
                    self.session = Some(session);
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Err(Failure::Broken { when, in_doubt, error }) => {
                    self.in_doubt = in_doubt;
                    self.record.broke(self.number, when, &error);
                    pauses = Pauses::default();
                    continue;
                }
            }
            self.session = Some(session);
            return;
        }
    }

    async fn take_session(&mut self) -> Option<Session> {
        if let Some(session) = self.session.take() {
            return Some(session);
        }
        let connect = tokio::time::timeout(CONNECT, client::connect(self.target, APP, APP));
        let error = match connect.await {
            Ok(Ok(conn)) => return self.look(Session { conn, opened: Instant::now() }).await,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no session after {CONNECT:?}"),
        };
        self.record.not_connected(&error);
        tokio::time::sleep(PAUSE).await;
        None
    }

    /// First thing on a new session: whether the last acknowledged transfer is there, and the one in doubt.
    async fn look(&mut self, mut session: Session) -> Option<Session> {
        let last = self.seq.saturating_sub(1);
        let select = format!("SELECT seq FROM app.journal WHERE client = {} AND seq >= {last}", self.number);
        match session.conn.query::<u64, _>(select).await {
            Ok(there) => {
                if self.seq > 0 && !there.contains(&last) {
                    self.record.stale_read(self.number, last);
                }
                self.in_doubt &= there.contains(&self.seq);
                Some(session)
            }
            Err(error) => {
                self.record.broke(self.number, Broken::Between, &error);
                None
            }
        }
    }
}

impl Session {
    async fn attempt(&mut self, statements: &[String; 5], pauses: Pauses) -> Result<(), Failure> {
        for (step, statement) in statements.iter().enumerate() {
            if let Some(pause) = step.checked_sub(1).map(|step| pauses[step]).filter(|p| !p.is_zero()) {
                tokio::time::sleep(pause).await;
            }
            if let Err(error) = self.conn.query_drop(statement).await {
                return Err(self.failed(step, error).await);
            }
        }
        Ok(())
    }

    async fn failed(&mut self, step: usize, error: Error) -> Failure {
        let code = match &error {
            Error::Server(server) => server.code,
            _ => 0,
        };
        let when = if step == 0 { Broken::Between } else { Broken::Within };
        let failure = match code {
            // Deadlock, lock wait timeout, a node that accepts no statements: the transaction has no effect.
            1213 | 1205 | 1047 => Failure::Refused,
            1062 => Failure::Written,
            _ => return Failure::Broken { when, in_doubt: step == 4, error },
        };
        match self.conn.query_drop("ROLLBACK").await {
            Ok(()) => failure,
            Err(error) => Failure::Broken { when, in_doubt: false, error },
        }
    }
}

/// The lower account first, so that no two transfers wait for each other.
fn statements(customer: usize, seq: u64, random: &mut Rng) -> [String; 5] {
    let (payer, amount) = (random.u64(0..ACCOUNTS), random.i64(1..100));
    let payee = (payer + random.u64(1..ACCOUNTS)) % ACCOUNTS;
    let mut moves = [(payer, -amount), (payee, amount)];
    moves.sort_unstable();
    let [first, second] =
        moves.map(|(id, by)| format!("UPDATE app.account SET balance = balance + ({by}) WHERE id = {id}"));
    let entry = format!("INSERT INTO app.journal VALUES ({customer}, {seq}, {payer}, {payee}, {amount})");
    ["BEGIN".to_owned(), first, second, entry, "COMMIT".to_owned()]
}
