//! Asks a server about its threads, on a monitoring connection: who sleeps, who is in a transaction. It owns that
//! connection; what follows from the answer is `capitana_core::drain`'s.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::time::Duration;

use capitana_core::HostPort;
use capitana_core::drain::Thread;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as SqlError, Row};
use tokio::time::timeout;

use super::monitor::{Account, connect};
use crate::mariadb::{text, words};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskError {
    /// Nobody answers there, or not in time.
    Gone(String),
    /// The server answers with an error.
    Refused(String),
    /// The list of transactions is older than the question.
    Stale,
}

/// Asks one server.
pub struct Asker {
    account: Account,
    upstream: HostPort,
    conn: Option<Conn>,
    questions: u64,
    /// How long the server may take to connect, and to answer.
    patience: Duration,
    /// The same once it has answered.
    later: Duration,
}

/// How long a server may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the first question, and to connect.
    pub first: Duration,
    /// For each one after it has answered.
    pub later: Duration,
}

impl Asker {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(account: Account, upstream: &HostPort, patience: Patience) -> Self {
        let upstream = upstream.clone();
        let Patience { first, later } = patience;
        Self { account, upstream, conn: None, questions: 0, patience: first, later }
    }

    /// What the server says of these threads; those it does not know are missing.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask(&mut self, ids: &[u32]) -> Result<HashMap<u32, Thread>, AskError> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.connect().await?,
        };
        self.questions += 1;
        let nonce = format!("capitana-{}-{}", conn.id(), self.questions);
        match timeout(self.patience, question(conn, ids, &nonce)).await {
            Ok(Ok((conn, threads))) => {
                self.conn = Some(conn);
                self.patience = self.later;
                threads.ok_or(AskError::Stale)
            }
            Ok(Err(error)) => Err(understand(&error)),
            Err(_) => Err(AskError::Gone(format!("no answer within {:?}", self.patience))),
        }
    }

    /// A factor from 1 to 2 that differs from question to question and from proxy to proxy, so that several that
    /// hinder each other fall out of step.
    #[must_use]
    pub fn jitter(&self) -> f64 {
        let id = self.conn.as_ref().map_or(0, |conn| u64::from(conn.id()));
        let mixed = (id << 32 | self.questions).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        1.0 + (mixed >> 40) as f64 / f64::from(1 << 24)
    }

    async fn connect(&self) -> Result<Conn, AskError> {
        match timeout(self.patience, connect(&self.account, &self.upstream)).await {
            Ok(Ok(conn)) => Ok(conn),
            Ok(Err(error)) => Err(understand(&error)),
            Err(_) => Err(AskError::Gone(format!("no connection within {:?}", self.patience))),
        }
    }
}

/// The question's answer; none if the list of transactions is older than the question. InnoDB fills `INNODB_TRX` anew
/// only if nobody has read it for 100 ms (`CACHE_MIN_IDLE_TIME_NS` in `trx0i_s.cc`; measured on 10.11: read every 50 ms
/// it stayed as it was). So the question is asked within a transaction of its own, and the list counts only if it shows
/// that transaction at work on this very question, known by its nonce.
async fn question(
    mut conn: Conn,
    ids: &[u32],
    nonce: &str,
) -> Result<(Conn, Option<HashMap<u32, Thread>>), SqlError> {
    let own = conn.id();
    conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT").await?;
    let transactions: Vec<Row> = conn
        .query(format!(
            "SELECT /*{nonce}*/ trx_mysql_thread_id, trx_query FROM information_schema.INNODB_TRX"
        ))
        .await?;
    conn.query_drop("ROLLBACK").await?;
    let is_own =
        |row: &Row| id(row) == Some(own) && text(row, 1).is_some_and(|question| question.contains(nonce));
    if !transactions.iter().any(is_own) {
        return Ok((conn, None));
    }
    let in_transaction: HashSet<u32> = transactions.iter().filter_map(id).collect();
    let rows: Vec<Row> = match process_list(ids) {
        Some(sql) => conn.query(sql).await?,
        None => Vec::new(),
    };
    let threads = rows.iter().filter_map(|row| {
        let id = id(row)?;
        Some((id, Thread { asleep: asleep(row), in_transaction: in_transaction.contains(&id) }))
    });
    let threads = threads.collect();
    Ok((conn, Some(threads)))
}

/// The thread that a line is about.
fn id(row: &Row) -> Option<u32> {
    text(row, 0)?.parse().ok()
}

/// How long it has slept; what cannot be read counts as at work.
fn asleep(row: &Row) -> Option<Duration> {
    let ms: f64 = text(row, 2)?.parse().ok()?;
    (text(row, 1)? == "Sleep").then(|| Duration::try_from_secs_f64(ms.max(0.0) / 1000.0).ok())?
}

fn process_list(ids: &[u32]) -> Option<String> {
    let (first, rest) = ids.split_first()?;
    let mut sql =
        format!("SELECT ID, COMMAND, TIME_MS FROM information_schema.PROCESSLIST WHERE ID IN ({first}");
    for id in rest {
        // Writing to a String cannot fail.
        let _ = write!(sql, ",{id}");
    }
    sql.push(')');
    Some(sql)
}

fn understand(error: &SqlError) -> AskError {
    match error {
        SqlError::Server(_) => AskError::Refused(words(error)),
        error => AskError::Gone(words(error)),
    }
}
