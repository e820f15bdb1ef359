//! One session with ZooKeeper as the registrar sees it: the one request that is out, the watch, the timers, and
//! waiting for whichever comes first. What follows from it is in `registrar`.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::registrant::{Answer, Registrant};
use crate::control::{Coordinator, CoordinatorError, LinkState, Watch};

/// A watch can be lost with the connection that held it, so the path is read again at least this often.
const REREAD: Duration = Duration::from_secs(10);
/// A request that is not answered for so long has outlived every session timeout ZooKeeper usually grants.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

type Outgoing<'a, S> = Pin<Box<dyn Future<Output = Result<Answer<S>, CoordinatorError>> + Send + 'a>>;

/// What woke the registrar.
pub(super) enum Happened<S> {
    /// The link changed.
    Link(LinkState),
    /// The request was answered, or failed.
    Answered(Result<Answer<S>, CoordinatorError>),
    /// The request is not answered.
    Unanswered,
    /// What is watched changed, or it is time to look at it.
    Recheck,
    /// The wish may be another, or a wait is over.
    Wake,
}

/// One session and what is waited for on it.
pub(super) struct Session<'a, C, S> {
    /// The session.
    pub(super) link: &'a C,
    out: Option<Outgoing<'a, S>>,
    give_up_at: Instant,
    retry_at: Option<Instant>,
    reread_at: Instant,
    watch: Option<Watch>,
}

impl<'a, C: Coordinator, S> Session<'a, C, S> {
    /// A session on which nothing has been asked yet.
    pub(super) fn new(link: &'a C) -> Self {
        let now = Instant::now();
        Self { link, out: None, give_up_at: now, retry_at: None, reread_at: now + REREAD, watch: None }
    }

    /// Whether a request may be made now.
    pub(super) fn is_free(&self) -> bool {
        self.out.is_none() && self.retry_at.is_none()
    }

    /// Makes a request.
    pub(super) fn ask(&mut self, request: Outgoing<'a, S>) {
        self.out = Some(request);
        self.give_up_at = Instant::now() + REQUEST_LIMIT;
    }

    /// Leaves the watch of the last answer; the next look is due a while from now.
    pub(super) fn watched(&mut self, watch: Watch) {
        self.watch = Some(watch);
        self.reread_at = Instant::now() + REREAD;
    }

    /// Gives the watch up.
    pub(super) fn unwatch(&mut self) {
        self.watch = None;
    }

    /// No request for this long.
    pub(super) fn pause(&mut self, wait: Duration) {
        self.retry_at = Some(Instant::now() + wait);
    }

    /// Ends the pause.
    pub(super) fn hurry(&mut self) {
        self.retry_at = None;
    }

    /// Waits for the next thing to happen. The link comes first: an answer that arrives together with news of the link
    /// is told after them.
    pub(super) async fn next<R: Registrant<Seen = S>>(
        &mut self,
        registrant: &mut R,
        stopping: bool,
    ) -> Happened<S> {
        let (out, watch) = (&mut self.out, &mut self.watch);
        let (asked, watched, paused) = (out.is_some(), watch.is_some(), self.retry_at.is_some());
        let retry_at = self.retry_at.unwrap_or(self.reread_at);
        let happened = tokio::select! {
            biased;
            link = self.link.link_changed() => Happened::Link(link),
            answer = completed(out), if asked => Happened::Answered(answer),
            () = registrant.changed(stopping) => Happened::Wake,
            () = fired(watch), if watched => Happened::Recheck,
            () = sleep_until(self.give_up_at), if asked => Happened::Unanswered,
            () = sleep_until(retry_at), if paused => { self.retry_at = None; Happened::Wake }
            () = sleep_until(self.reread_at) => { self.reread_at += REREAD; Happened::Recheck }
        };
        match &happened {
            Happened::Answered(_) => self.out = None,
            Happened::Recheck => self.watch = None,
            _ => {}
        }
        happened
    }
}

async fn completed<S>(out: &mut Option<Outgoing<'_, S>>) -> Result<Answer<S>, CoordinatorError> {
    match out {
        Some(request) => request.await,
        None => std::future::pending().await,
    }
}

async fn fired(watch: &mut Option<Watch>) {
    match watch {
        Some(watch) => watch.await,
        None => std::future::pending().await,
    }
}
