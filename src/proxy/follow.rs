//! Follows the election: keeps a ZooKeeper session, reads the path after each event and now and then without one, and
//! tells the `Director`. It decides nothing: what a reading means is `capitana_core::Election`'s.

use std::time::Duration;

use capitana_core::backoff::Backoff;
use capitana_core::election::Event;
use tokio::time::{sleep, timeout};

use super::director::Director;
use crate::control::coordinator::{Watch, read_election};
use crate::control::{Coordinator, CoordinatorError, LinkState, Outcome, ZooKeeperConnector};

/// A watch can be lost with the connection that held it, so the path is read again at least this often.
const REREAD: Duration = Duration::from_secs(10);
/// A reading that takes longer is given up; the client library would keep it queued until the session expires.
const READ_LIMIT: Duration = Duration::from_secs(5);
/// First and longest wait between two attempts to open a session.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

/// Follows the election at `path` until the task is dropped.
pub async fn follow(connector: ZooKeeperConnector, path: String, mut director: Director, seed: u64) {
    let mut backoff = Backoff::new(RECONNECT.0, RECONNECT.1, seed);
    loop {
        match connector.connect().await {
            Ok(session) => {
                let cause = follow_session(&session, &path, &mut director, &mut backoff).await;
                director.on(Event::LinkDown(cause));
            }
            Err(error) => director.on(Event::LinkDown(format!("{}: {}", error.what, error.cause))),
        }
        sleep(backoff.wait()).await;
    }
}

/// Follows through one session; answers why it ended.
async fn follow_session<C: Coordinator>(
    session: &C,
    path: &str,
    director: &mut Director,
    backoff: &mut Backoff,
) -> String {
    director.on(Event::LinkUp);
    loop {
        let next = tokio::select! {
            biased;
            link = session.link_changed() => Next::Link(link),
            read = timeout(READ_LIMIT, read(session, path)) => match read {
                Ok(Ok((view, watch))) => {
                    backoff.reset();
                    director.on(Event::Read(view));
                    await_change(session, watch).await
                }
                Ok(Err(error)) if error.outcome == Outcome::SessionOver => Next::Link(LinkState::Over),
                Ok(Err(error)) => {
                    director.on(Event::ReadFailed(error.to_string()));
                    pause(session, backoff.wait()).await
                }
                Err(_) => {
                    director.on(Event::ReadFailed(format!("ZooKeeper: no answer within {READ_LIMIT:?}")));
                    Next::Read
                }
            },
        };
        match next {
            Next::Read | Next::Link(LinkState::Connected) => {}
            Next::Link(LinkState::Over) => return "the session is over".to_owned(),
            Next::Link(LinkState::Disconnected) => {
                director.on(Event::LinkDown("no server answers".to_owned()));
                if !reconnected(session).await {
                    return "the session is over".to_owned();
                }
                director.on(Event::LinkUp);
            }
        }
    }
}

/// What to do next.
enum Next {
    Read,
    Link(LinkState),
}

/// A server answers with what it knows; `sync` first, so that what it knows is what the leader knew at that moment.
async fn read<C: Coordinator>(
    session: &C,
    path: &str,
) -> Result<(capitana_core::RawView, Watch), CoordinatorError> {
    session.sync(path).await?;
    read_election(session, path).await
}

async fn await_change<C: Coordinator>(session: &C, watch: Watch) -> Next {
    tokio::select! {
        link = session.link_changed() => Next::Link(link),
        () = watch => Next::Read,
        () = sleep(REREAD) => Next::Read,
    }
}

async fn pause<C: Coordinator>(session: &C, wait: Duration) -> Next {
    tokio::select! {
        link = session.link_changed() => Next::Link(link),
        () = sleep(wait) => Next::Read,
    }
}

/// Nothing is asked while the link is down: requests would queue without bound.
async fn reconnected<C: Coordinator>(session: &C) -> bool {
    loop {
        match session.link_changed().await {
            LinkState::Connected => return true,
            LinkState::Over => return false,
            LinkState::Disconnected => {}
        }
    }
}
