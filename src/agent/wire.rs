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
use super::tuning::Tuning;
use crate::mariadb;

/// A sleep of 10 s that is not answered for so long has lost its connection, or its server hangs, which the checks
/// see on their own.
const UNANSWERED: Duration = Duration::from_secs(60);
/// The longest wait between attempts to reach a server that is there and does not let the agent in. Each of them may
/// count against `max_connect_errors`.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How long the attempt that follows the end of the wire may take. A server that stops listens on for seconds without
/// taking anybody in (measured on 10.11: up to 1.6 s); one that serves clients lets the agent in within milliseconds.
const CONFIRM: Duration = Duration::from_millis(300);

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
    tuning: watch::Receiver<Tuning>,
    seed: u64,
    events: Sender<Event>,
    hurry: watch::Sender<()>,
) {
    let pace = || tuning.borrow().pace();
    let first = pace().interval;
    let mut backoff = Backoff::new(first, LONGEST_WAIT.max(first), seed);
    let mut pause = Duration::ZERO;
    let mut ended = false;
    loop {
        let pace = pace();
        // After a wire has ended this is the confirming attempt, so nothing is waited for before it.
        let limit = if ended { CONFIRM.min(pace.limit) } else { pace.limit };
        let wait = match server.connect(limit).await {
            Ok(conn) => {
                backoff.reset();
                send(&events, Event::Answered).await;
                hurry.send_replace(());
                sleep(pause).await;
                let held;
                (held, ended) = hold(conn, pace.interval, &hurry).await;
                // Connections that somebody kills again and again are not opened without pause.
                pause = if held < pace.interval { pace.interval } else { Duration::ZERO };
                continue;
            }
            Err(failure) => match crashed(failure, ended) {
                Ok(event) => {
                    send(&events, event).await;
                    pace.interval
                }
                Err(cause) => {
                    tracing::debug!(cause, "the long-lived connection cannot be opened");
                    backoff.wait()
                }
            },
        };
        ended = false;
        sleep(wait).await;
    }
}

/// What a failed attempt says, where it says that the server is gone; else its cause. `ended`: it follows a wire that the
/// server has ended.
fn crashed(failure: Failure, ended: bool) -> Result<Event, String> {
    match failure {
        Failure::Gone(cause) => Ok(Event::Crashed(cause)),
        Failure::Silent(limit) if ended => {
            let cause = format!("it has ended the agent's connection, and opens no other within {limit:?}");
            Ok(Event::Crashed(cause))
        }
        other => Err(other.cause()),
    }
}

/// Returns when the connection is broken, with the time it lasted, and whether the server's end of it is closed.
async fn hold(mut conn: Conn, interval: Duration, hurry: &watch::Sender<()>) -> (Duration, bool) {
    let began = Instant::now();
    let (cause, closed) = loop {
        match timeout(UNANSWERED, server::sleep(&mut conn)).await {
            Ok(Ok(Slept::Whole)) => {}
            Ok(Ok(Slept::Interrupted)) => {
                hurry.send_replace(());
                sleep(interval).await;
            }
            Ok(Err(error)) => break (mariadb::words(&error), true),
            Err(_) => break (format!("no answer for {UNANSWERED:?}"), false),
        }
    };
    tracing::debug!(cause, "the long-lived connection is closed");
    (began.elapsed(), closed)
}

async fn send(events: &Sender<Event>, event: Event) {
    // The receiver is gone only when the agent ends.
    let _ = events.send(event).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(1);

    #[test]
    fn a_server_that_ends_the_wire_and_takes_no_other_connection_has_crashed() {
        assert!(matches!(crashed(Failure::Silent(LIMIT), true), Ok(Event::Crashed(_))));
        assert!(matches!(crashed(Failure::Gone("refused".to_owned()), false), Ok(Event::Crashed(_))));
    }

    #[test]
    fn a_server_that_is_silent_from_the_start_or_refuses_the_agent_has_not() {
        assert!(crashed(Failure::Silent(LIMIT), false).is_err());
        assert!(crashed(Failure::Other("full".to_owned()), true).is_err());
    }
}
