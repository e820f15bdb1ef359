//! The checks: one statement pair on a connection of its own, every interval, each with a limit. It owns that
//! connection. What a reading means is `capitana_core::health`'s.

use std::sync::Arc;
use std::time::Duration;

use capitana_core::health::Reading;
use mysql_async::{Conn, Error as SqlError};
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};

use super::server::{self, Failure, Server};
use super::tuning::Tuning;
use super::wire::Pace;
use crate::clock::BootClock;
use crate::mariadb;

/// After this many unanswered checks the connection is given up and another one is opened. Until then it is kept: each
/// connection that is given up half-way counts against `max_connect_errors`, and a server that only stood still
/// answers on the one it has.
const PATIENCE: u32 = 30;
/// How long opening a connection may take inside a check that is not waited for any more.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// What a check reports.
#[derive(Debug)]
pub struct Checked {
    /// What was read, or why nothing was.
    pub outcome: Result<Reading, Failure>,
    /// When the check was sent, on the machine's clock.
    pub asked: Duration,
    /// The same on the clock of the timers.
    pub sent: Instant,
    /// How long the check took, until it was answered or not waited for any more.
    pub took: Duration,
}

/// Checks until the task is dropped, every interval and when `hurry` rings; at once when the interval changes.
pub async fn poll(
    server: Arc<Server>,
    mut tuning: watch::Receiver<Tuning>,
    mut hurry: watch::Receiver<()>,
    reports: Reports,
) {
    let mut pace = tuning.borrow_and_update().pace();
    let mut ticks = ticker(pace);
    let mut conn = None;
    loop {
        tokio::select! {
            () = due(&mut ticks, &mut hurry) => {}
            Ok(()) = tuning.changed() => {
                let before = std::mem::replace(&mut pace, tuning.borrow_and_update().pace());
                if before.interval != pace.interval {
                    ticks = ticker(pace);
                }
                continue;
            }
        }
        let asked = Asked::now();
        let mut check = Box::pin(check(Arc::clone(&server), conn.take()));
        conn = match timeout(pace.limit, &mut check).await {
            Ok((conn, outcome)) => {
                reports.send(outcome, asked).await;
                conn
            }
            Err(_) => overdue(check, pace, asked, &reports).await,
        };
    }
}

fn ticker(pace: Pace) -> Interval {
    let mut ticks = interval(pace.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Returns when it is time for a check; the next one is due an interval later.
async fn due(ticks: &mut Interval, hurry: &mut watch::Receiver<()>) {
    tokio::select! {
        _ = ticks.tick() => {}
        Ok(()) = hurry.changed() => ticks.reset(),
    }
}

/// Reports a check that is not answered in time, again and again as if it were repeated, until it is answered after
/// all. The late answer frees the connection and counts for nothing.
async fn overdue<C>(mut check: C, pace: Pace, asked: Asked, reports: &Reports) -> Option<Conn>
where
    C: Future<Output = (Option<Conn>, Result<Reading, Failure>)> + Unpin,
{
    for _ in 0..PATIENCE {
        let cause = format!("no answer within {:?}", pace.limit);
        reports.send(Err(Failure::Other(cause)), asked).await;
        if let Ok((conn, _)) = timeout(pace.interval, &mut check).await {
            return conn;
        }
    }
    None
}

/// One check on `conn`, or on a new connection where there is none or somebody has closed it. Answers the connection
/// too, if it can be used again.
async fn check(server: Arc<Server>, conn: Option<Conn>) -> (Option<Conn>, Result<Reading, Failure>) {
    if let Some(mut conn) = conn {
        match server::read(&mut conn).await {
            Ok(reading) => return (Some(conn), Ok(reading)),
            Err(error) if !error.is_fatal() => return (Some(conn), Err(refused(&error))),
            Err(error) => tracing::debug!(%error, "the connection for checks is closed"),
        }
    }
    let mut conn = match server.connect(CONNECT_LIMIT).await {
        Ok(conn) => conn,
        Err(failure) => return (None, Err(failure)),
    };
    let outcome = server::read(&mut conn).await.map_err(|error| refused(&error));
    (Some(conn), outcome)
}

/// A check's own error says nothing of the server's connections.
fn refused(error: &SqlError) -> Failure {
    Failure::Other(mariadb::words(error))
}

/// Where checks are reported.
pub struct Reports(pub Sender<Checked>);

impl Reports {
    async fn send(&self, outcome: Result<Reading, Failure>, asked: Asked) {
        let checked =
            Checked { outcome, asked: asked.on_machine, sent: asked.here, took: asked.here.elapsed() };
        // The receiver is gone only when the agent ends.
        let _ = self.0.send(checked).await;
    }
}

/// When a check was sent: by the clock that goes on in a pause, for those who ask for its age, and by the timers'.
#[derive(Debug, Clone, Copy)]
struct Asked {
    on_machine: Duration,
    here: Instant,
}

impl Asked {
    fn now() -> Self {
        Self { on_machine: BootClock.now(), here: Instant::now() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_check_is_due_at_once_when_the_wire_rings() {
        let (bell, mut hurry) = watch::channel(());
        let mut ticks = interval(INTERVAL);
        due(&mut ticks, &mut hurry).await;
        bell.send_replace(());
        timeout(Duration::from_secs(10), due(&mut ticks, &mut hurry)).await.unwrap();
    }

    #[tokio::test]
    async fn checks_go_on_when_nobody_can_ring_any_more() {
        let (_, mut hurry) = watch::channel(());
        let mut ticks = interval(Duration::from_millis(1));
        for _ in 0..3 {
            timeout(Duration::from_secs(10), due(&mut ticks, &mut hurry)).await.unwrap();
        }
    }
}
