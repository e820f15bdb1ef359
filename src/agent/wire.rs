//! The long-lived connection on which a statement is always outstanding, so that a crash of the server is noticed
//! the moment the socket closes. It owns that connection and the confirming attempt after its end.

use std::sync::Arc;
use std::time::Duration;

use capitana_core::backoff::Backoff;
use capitana_core::health::Event;
use mysql_async::Conn;
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::server::{self, Failure, Server, Slept};
use crate::mariadb;

/// A sleep of 10 s that is not answered for so long has lost its connection, or its server hangs, which the checks
/// see on their own.
const UNANSWERED: Duration = Duration::from_secs(60);
/// The longest wait between attempts to reach a server that is there and does not let the agent in. Each of them may
/// count against `max_connect_errors`.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How often and how long to try.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Time between two attempts.
    pub interval: Duration,
    /// How long one may take.
    pub limit: Duration,
}

/// Keeps the wire until the task is dropped, and reports what becomes of it. Rings for a check when the server answers and
/// yet has ended the wire or its statement: a node that leaves the cluster ends its connections before it stops to listen.
pub async fn keep(
    server: Arc<Server>,
    pace: Pace,
    seed: u64,
    events: Sender<Event>,
    hurry: watch::Sender<()>,
) {
    let mut backoff = Backoff::new(pace.interval, LONGEST_WAIT.max(pace.interval), seed);
    let mut pause = Duration::ZERO;
    loop {
        // After a wire has ended this is the confirming attempt, so nothing is waited for before it.
        let wait = match server.connect(pace.limit).await {
            Ok(conn) => {
                backoff.reset();
                send(&events, Event::Answered).await;
                hurry.send_replace(());
                sleep(pause).await;
                let held = hold(conn, pace.interval, &hurry).await;
                // Connections that somebody kills again and again are not opened without pause.
                pause = if held < pace.interval { pace.interval } else { Duration::ZERO };
                continue;
            }
            Err(Failure::Gone(cause)) => {
                send(&events, Event::Crashed(cause)).await;
                pace.interval
            }
            Err(Failure::Other(cause)) => {
                tracing::debug!(cause, "the long-lived connection cannot be opened");
                backoff.wait()
            }
        };
        sleep(wait).await;
    }
}

/// Returns when the connection is broken, with the time it lasted.
async fn hold(mut conn: Conn, interval: Duration, hurry: &watch::Sender<()>) -> Duration {
    let began = Instant::now();
    let cause = loop {
        match timeout(UNANSWERED, server::sleep(&mut conn)).await {
            Ok(Ok(Slept::Whole)) => {}
            Ok(Ok(Slept::Interrupted)) => {
                hurry.send_replace(());
                sleep(interval).await;
            }
            Ok(Err(error)) => break mariadb::words(&error),
            Err(_) => break format!("no answer for {UNANSWERED:?}"),
        }
    };
    tracing::debug!(cause, "the long-lived connection is closed");
    began.elapsed()
}

async fn send(events: &Sender<Event>, event: Event) {
    // The receiver is gone only when the agent ends.
    let _ = events.send(event).await;
}
