//! Follows the election: keeps a ZooKeeper session, reads the path after each event and now and then without one, looks
//! in between whether what was read still holds, and tells the `Director`. It decides nothing: what a reading means is
//! `capitana_core::Election`'s. Whatever it waits for, the `Director` puts settings that change meanwhile into effect.

use std::time::Duration;

use capitana_core::RawView;
use capitana_core::backoff::Backoff;
use capitana_core::election::Event;
use futures_util::future::select;
use tokio::time::{Instant, sleep, timeout};

use super::director::Director;
use crate::control::coordinator::{Watch, read_election, read_election_closely};
use crate::control::{Children, Coordinator, CoordinatorError, LinkState, Outcome, ZooKeeperConnector};

/// A watch can be lost with the connection that held it, so the path is read again at least this often.
const REREAD: Duration = Duration::from_secs(10);
/// Looks within the session timeout. A look that succeeds shows that the ensemble can be reached through this server;
/// the view of a proxy whose looks fail is older than the session timeout soon, and it is not ready any more.
const LOOKS: u32 = 3;
/// A reading that takes longer is given up; the client library would keep it queued until the session expires.
const READ_LIMIT: Duration = Duration::from_secs(5);
/// First and longest wait between two attempts to open a session.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Follows the election at `path` until the task is dropped.
pub async fn follow(connector: ZooKeeperConnector, path: String, mut director: Director, seed: u64) {
    let mut backoff = Backoff::new(RECONNECT.0, RECONNECT.1, seed);
    let look = (connector.session_timeout / LOOKS).min(REREAD);
    loop {
        match director.meanwhile(connector.connect()).await {
            Ok(session) => {
                let cause = Session { session, path: &path, look }.follow(&mut director, &mut backoff).await;
                director.on(Event::LinkDown(cause));
            }
            Err(error) => director.on(Event::LinkDown(format!("{}: {}", error.what, error.cause))),
        }
        director.meanwhile(sleep(backoff.wait())).await;
    }
}

/// One session with ZooKeeper.
struct Session<'a, C> {
    session: C,
    path: &'a str,
    /// Time between two looks.
    look: Duration,
}

impl<C: Coordinator> Session<'_, C> {
    /// Follows until the session is over; answers why.
    async fn follow(&self, director: &mut Director, backoff: &mut Backoff) -> String {
        director.on(Event::LinkUp);
        loop {
            let closely = director.minds_lags();
            let next = match director.meanwhile(self.read_unless_lost(closely)).await {
                Reading::Link(link) => Next::Link(link),
                Reading::Ended(Ok((view, watch))) => {
                    backoff.reset();
                    let pzxid = view.pzxid;
                    director.on(Event::Read(view));
                    self.await_change((pzxid, closely), watch, director).await
                }
                Reading::Ended(Err(error)) if error.outcome == Outcome::SessionOver => {
                    Next::Link(LinkState::Over)
                }
                Reading::Ended(Err(error)) => {
                    director.on(Event::ReadFailed(error.to_string()));
                    director.meanwhile(pause(&self.session, backoff.wait())).await
                }
                Reading::TooLong => {
                    director.on(Event::ReadFailed(format!("ZooKeeper: no answer within {READ_LIMIT:?}")));
                    Next::Read
                }
            };
            match next {
                Next::Read | Next::Link(LinkState::Connected) => {}
                Next::Link(LinkState::Over) => return "the session is over".to_owned(),
                Next::Link(LinkState::Disconnected) => {
                    director.on(Event::LinkDown("no server answers".to_owned()));
                    if !director.meanwhile(reconnected(&self.session)).await {
                        return "the session is over".to_owned();
                    }
                    director.on(Event::LinkUp);
                }
            }
        }
    }

    async fn read_unless_lost(&self, closely: bool) -> Reading {
        tokio::select! {
            biased;
            link = self.session.link_changed() => Reading::Link(link),
            read = timeout(READ_LIMIT, self.read(closely)) => read.map_or(Reading::TooLong, Reading::Ended),
        }
    }

    /// A server answers with what it knows; `sync` first, so that what it knows is what the leader knew at that moment.
    async fn read(&self, closely: bool) -> Result<(RawView, Watch), CoordinatorError> {
        self.session.sync(self.path).await?;
        // A watch for each candidate only where their lags matter.
        match closely {
            true => read_election_closely(&self.session, self.path).await,
            false => read_election(&self.session, self.path).await,
        }
    }

    /// Waits until the path has to be read again, which was read like this. Meanwhile it looks whether the view still holds.
    async fn await_change(
        &self,
        (pzxid, closely): (i64, bool),
        mut watch: Watch,
        director: &mut Director,
    ) -> Next {
        let reread = Instant::now() + REREAD;
        while Instant::now() < reread {
            tokio::select! {
                link = self.session.link_changed() => return Next::Link(link),
                () = &mut watch => return Next::Read,
                // Also where it changed during the reading: this looks at how it is, and waits for no bell to say so.
                () = director.minds_lags_otherwise_than(closely) => return Next::Read,
                () = sleep(self.look) => {}
            }
            let looked = async {
                tokio::select! {
                    biased;
                    link = self.session.link_changed() => Err(Next::Link(link)),
                    () = &mut watch => Err(Next::Read),
                    looked = timeout(READ_LIMIT, self.list()) => Ok(looked),
                }
            };
            let looked = match director.meanwhile(looked).await {
                Ok(looked) => looked,
                Err(next) => return next,
            };
            match looked {
                Ok(Ok(children)) if children.pzxid == pzxid => {
                    director.on(Event::Seen(pzxid));
                    // The one before may also watch the candidates' data. A reading ends the chain at the latest.
                    watch = Box::pin(async move { drop(select(watch, children.watch).await) });
                }
                // The reading that follows says what is wrong.
                Ok(Ok(_) | Err(_)) | Err(_) => return Next::Read,
            }
        }
        Next::Read
    }

    async fn list(&self) -> Result<Children, CoordinatorError> {
        self.session.sync(self.path).await?;
        self.session.children(self.path).await
    }
}

/// How a reading ended.
enum Reading {
    Ended(Result<(RawView, Watch), CoordinatorError>),
    TooLong,
    /// It was given up for this.
    Link(LinkState),
}

/// What to do next.
enum Next {
    Read,
    Link(LinkState),
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
