//! The canary: a commit of the agent's own with each check that passed, on a connection of its own, so that one that
//! hangs holds up no check. It makes the commits it is told to, and tells what becomes of them; a commit that hangs is
//! waited for as long as it takes, and told of again and again. What that means is `capitana_core::health`'s.

mod statements;
mod status;

use std::sync::Arc;
use std::time::Duration;

use capitana_core::health::{Canary, Commit, Local};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::server::{Failure, Server};
use super::tuning::Tuning;
use super::wire::Pace;

pub use status::{CanaryMetrics, CanaryStatus, LastCommit};

/// Before one is tried again of a kind that could not be made, for want of a right or a table.
const AGAIN: Duration = Duration::from_secs(10);
/// A row that is not acknowledged within this part of the limit has a local commit asked beside it, in time for that to be
/// answered or not when the limit is over.
const SUSPICIOUS: u32 = 4;

/// What became of a commit.
#[derive(Debug)]
pub struct Tried {
    /// Which kind it was.
    pub kind: Canary,
    /// What became of it, so far.
    pub outcome: Commit,
    /// How long it has taken so far.
    pub took: Duration,
}

/// Makes commits as `orders` asks for them, until nobody can any more.
pub async fn run(
    (server, node): (Arc<Server>, String),
    tuning: watch::Receiver<Tuning>,
    mut orders: watch::Receiver<Option<Canary>>,
    reports: Sender<Tried>,
) {
    let aviary = Aviary { server, node, tuning, reports };
    let mut conn = None;
    let mut impossible: Option<(Canary, Instant)> = None;
    while orders.changed().await.is_ok() {
        let order = *orders.borrow_and_update();
        let Some(kind) = order else { continue };
        if impossible.is_some_and(|(which, since)| which == kind && since.elapsed() < AGAIN) {
            continue;
        }
        let possible;
        (conn, possible) = aviary.send_out(kind, conn).await;
        impossible = (!possible).then(|| (kind, Instant::now()));
    }
}

/// Where commits are made, and reported.
struct Aviary {
    server: Arc<Server>,
    node: String,
    tuning: watch::Receiver<Tuning>,
    reports: Sender<Tried>,
}

impl Aviary {
    /// One commit, to its end. Answers the connection, if it can be used again, and whether commits can be made at all.
    async fn send_out(&self, kind: Canary, conn: Option<Conn>) -> (Option<Conn>, bool) {
        let began = Instant::now();
        let (known, local) =
            watch::channel(if kind == Canary::Local { Local::Hangs } else { Local::Unknown });
        let mut commit = Box::pin(self.commit(kind, conn));
        let mut beside = Box::pin(self.ask_beside(kind, known));
        let mut due = began + self.pace().limit;
        let (conn, outcome) = loop {
            tokio::select! {
                biased;
                ended = &mut commit => break ended,
                () = &mut beside => {}
                // Told of again before the next check would be due: a server that stops right after a commit has to be
                // out within `fall` intervals and one limit.
                () = sleep_until(due) => {
                    let after = began.elapsed();
                    let local = *local.borrow();
                    self.report(kind, Commit::Overdue { after, local }, began).await;
                    due += self.pace().interval * 3 / 4;
                }
            }
        };
        let possible = !matches!(outcome, Commit::Impossible(_) | Commit::TooEarly);
        self.report(kind, outcome, began).await;
        (conn, possible)
    }

    /// Local commits beside a row that is not acknowledged, one an interval, for as long as it is polled.
    async fn ask_beside(&self, kind: Canary, known: watch::Sender<Local>) {
        if kind == Canary::Local {
            return std::future::pending().await;
        }
        let mut next = Instant::now() + self.pace().limit / SUSPICIOUS;
        let mut conn = None;
        loop {
            sleep_until(next).await;
            next += self.pace().interval;
            if conn.is_none() {
                // Where none is to be had, nothing can be said.
                conn = self.server.connect(self.pace().limit / SUSPICIOUS).await.ok();
            }
            let Some(open) = &mut conn else {
                known.send_replace(Local::Unknown);
                continue;
            };
            known.send_replace(Local::Hangs);
            let answer = statements::commit(open, Canary::Local, &self.node).await;
            known.send_replace(if answer.is_ok() { Local::Answered } else { Local::Unknown });
            if answer.is_err_and(|error| error.is_fatal()) {
                conn = None;
            }
        }
    }

    async fn commit(&self, kind: Canary, conn: Option<Conn>) -> (Option<Conn>, Commit) {
        let mut conn = match self.connection(conn).await {
            Ok(conn) => conn,
            Err(failure) => return (None, Commit::Lost(failure.cause())),
        };
        match statements::commit(&mut conn, kind, &self.node).await {
            Ok(()) => (Some(conn), Commit::Done),
            Err(error) => {
                let outcome = statements::outcome(kind, &error);
                ((!error.is_fatal()).then_some(conn), outcome)
            }
        }
    }

    /// The connection, or another where somebody has closed it: nothing has been written on it yet.
    async fn connection(&self, conn: Option<Conn>) -> Result<Conn, Failure> {
        if let Some(mut conn) = conn
            && let Ok(Ok(())) = timeout(self.pace().limit / SUSPICIOUS, conn.ping()).await
        {
            return Ok(conn);
        }
        self.server.connect(self.pace().limit).await
    }

    fn pace(&self) -> Pace {
        self.tuning.borrow().pace()
    }

    async fn report(&self, kind: Canary, outcome: Commit, began: Instant) {
        // The receiver is gone only when the agent ends.
        let _ = self.reports.send(Tried { kind, outcome, took: began.elapsed() }).await;
    }
}
