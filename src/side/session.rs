//! One session: its link, and the rounds of the parts on it, each in its own time. Opening sessions is `mod`'s.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use capitana_core::Link;
use capitana_core::backoff::Backoff;
use futures_util::future::select_all;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::status::Board;
use super::{Part, Watch};
use crate::control::{Coordinator, CoordinatorError, LinkState, Outcome};

/// A round that takes longer is given up; the client library would keep its requests queued until the session expires.
const ROUND_LIMIT: Duration = Duration::from_secs(5);
/// First and longest wait before a round that failed is made again.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long after a watch the next round begins, so that a burst of changes costs one round and not one each.
const SETTLE: Duration = Duration::from_millis(20);

/// Keeps the parts going until the session is over; answers why it is.
pub async fn run<C: Coordinator>(session: &C, parts: &[Arc<dyn Part<C>>], board: &Board) -> String {
    let (tell, link) = watch::channel(true);
    board.link(&Link::Up);
    board.opened();
    if parts.is_empty() {
        return follow_link(session, &tell, board).await;
    }
    let rounds = parts.iter().map(|part| Box::pin(rounds(session, part.as_ref(), link.clone(), board)));
    tokio::select! {
        cause = follow_link(session, &tell, board) => cause,
        (cause, ..) = select_all(rounds) => cause,
    }
}

/// Tells the parts of the link until the session is over.
async fn follow_link<C: Coordinator>(session: &C, tell: &watch::Sender<bool>, board: &Board) -> String {
    loop {
        match session.link_changed().await {
            LinkState::Connected => {
                board.link(&Link::Up);
                tell.send_replace(true);
            }
            LinkState::Disconnected => {
                board.link(&Link::Down("no server answers".to_owned()));
                tell.send_replace(false);
            }
            LinkState::Over => return "the session is over".to_owned(),
        }
    }
}

/// Round after round while the link is up, so that nothing queues while it is not; answers why the session is over.
async fn rounds<C: Coordinator>(
    session: &C,
    part: &dyn Part<C>,
    mut link: watch::Receiver<bool>,
    board: &Board,
) -> String {
    let mut backoff = Backoff::new(RETRY.0, RETRY.1, Uuid::new_v4().as_u64_pair().0);
    let mut connected = false;
    loop {
        if !is_up(&mut link, true).await {
            return "the session is not followed any more".to_owned();
        }
        if !std::mem::replace(&mut connected, true) {
            part.connected();
        }
        let round = tokio::select! {
            _ = is_up(&mut link, false) => {
                connected = false;
                continue;
            }
            round = timeout(ROUND_LIMIT, part.round(session)) => round.unwrap_or_else(|_| Err(too_long(part.name()))),
        };
        match round {
            Ok(watch) => {
                backoff.reset();
                board.well(part.name());
                connected = next(watch, part.interval(), &mut link).await;
            }
            Err(error) if error.outcome == Outcome::SessionOver => return error.to_string(),
            Err(error) => {
                board.failed(part.name(), error.to_string());
                connected = next(Box::pin(pending()), backoff.wait(), &mut link).await;
            }
        }
    }
}

/// Waits until another round is due; false: the link has gone down.
async fn next(watch: Watch, interval: Duration, link: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        _ = is_up(link, false) => return false,
        () = watch => sleep(SETTLE).await,
        () = sleep(interval) => {}
    }
    true
}

/// Waits until the link is as it is wanted; false: nobody follows it any more.
async fn is_up(link: &mut watch::Receiver<bool>, wanted: bool) -> bool {
    link.wait_for(|up| *up == wanted).await.is_ok()
}

fn too_long(name: &str) -> CoordinatorError {
    CoordinatorError {
        what: name.to_owned(),
        cause: format!("not answered within {ROUND_LIMIT:?}"),
        outcome: Outcome::Unknown,
    }
}
