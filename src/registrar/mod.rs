//! Keeps one znode as its `Registrant` wants it: opens sessions with ZooKeeper, makes the requests that
//! `capitana_core::registration` asks for, one at a time, keeps the lease up, and tells the registrant what became of it
//! all. It decides nothing, and knows neither agents nor workers.

mod connect;
mod heart;
mod link;
mod registrant;
mod session;

use std::time::Duration;

use capitana_core::backoff::Backoff;
use capitana_core::candidacy::Wish;
use capitana_core::registration::{Change, Event, Registration, Request};
use tokio::time::{sleep, timeout};

use crate::control::{Coordinator, CoordinatorError, LinkState, Outcome};
use link::LinkNotice;
use session::{Happened, Session};

pub use connect::Connect;
pub use heart::{Heart, LeaseStatus};
pub use link::LinkMetrics;
pub use registrant::{Answer, Look, Registrant};

/// First and longest wait before a failed request, or an attempt to open a session, is repeated.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));
/// No wait is longer than this part of the session timeout. An ensemble that comes back gives every session one timeout to be
/// resumed in, and whoever is a fifth of it later than others is fenced (`capitana_core::fence`).
const RETRY_PART: u32 = 12;
/// How long the end of a session is waited for. Without an answer the server ends it by itself.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Keeps one znode.
pub struct Registrar<R> {
    registration: Registration,
    registrant: R,
    heart: Heart,
    notice: LinkNotice,
    backoff: Backoff,
}

/// Why the work on one session ended.
enum Ended {
    SessionOver(String),
    Withdrawn,
}

impl<R: Registrant> Registrar<R> {
    /// A registrar that does as `registrant` wishes until its end, in sessions for which it asks for this timeout.
    #[must_use]
    pub fn new(
        registrant: R,
        heart: Heart,
        metrics: LinkMetrics,
        session_timeout: Duration,
        seed: u64,
    ) -> Self {
        let longest = (session_timeout / RETRY_PART).clamp(RETRY.0, RETRY.1);
        Self {
            registration: Registration::new(),
            registrant,
            heart,
            notice: LinkNotice::new(metrics),
            backoff: Backoff::new(RETRY.0, longest, seed),
        }
    }

    /// Works until it was asked to stop and has no znode any more.
    pub async fn run<C: Connect>(mut self, connector: C) {
        let mut last = None;
        while let Some(session) = self.open(&connector, last.as_ref()).await {
            let heart = self.heart.clone();
            let ended = tokio::select! {
                ended = self.serve(&session) => ended,
                never = heart.beat(&session) => match never {},
            };
            match ended {
                Ended::Withdrawn => {
                    let _ = timeout(CLOSE_LIMIT, session.close()).await;
                    return;
                }
                Ended::SessionOver(cause) => {
                    // The library's verdict: an ensemble that was down has not ended it.
                    self.link_down(cause);
                    self.on(Event::SessionOver);
                }
            }
            last = Some(C::last(session));
            self.wait().await;
        }
    }

    /// Opens a session, in as many attempts as it takes. None: the registrar is to end and never had a znode.
    async fn open<C: Connect>(&mut self, connector: &C, last: Option<&C::Last>) -> Option<C::Session> {
        loop {
            let never_up = self.notice.never_up();
            let connected = tokio::select! {
                () = self.registrant.stop().cancelled(), if never_up => return None,
                connected = connector.connect(last) => connected,
            };
            match connected {
                Ok(session) => return Some(session),
                Err(error) => self.link_down(error.to_string()),
            }
            self.wait().await;
        }
    }

    async fn wait(&mut self) {
        let (wait, never_up) = (self.backoff.wait(), self.notice.never_up());
        tokio::select! {
            () = self.registrant.stop().cancelled(), if never_up => {}
            () = sleep(wait) => {}
        }
    }

    async fn serve<C: Coordinator>(&mut self, link: &C) -> Ended {
        self.notice.session_began();
        self.registrant.link_is(self.notice.link());
        self.registrant.session_began(link.session_id());
        self.on(Event::SessionBegan(link.session_id()));
        let mut session = Session::new(link);
        loop {
            let stopping = self.registrant.stop().is_cancelled();
            self.wish(&mut session);
            if stopping && self.registration.is_withdrawn() {
                return Ended::Withdrawn;
            }
            self.ask(&mut session);
            let ended = match session.next(&mut self.registrant, stopping).await {
                Happened::Link(state) => self.on_link(state),
                Happened::Answered(answer) => self.on_answer(answer, &mut session),
                Happened::Unanswered => Some("a request was not answered".to_owned()),
                Happened::Recheck => {
                    self.on(Event::Recheck);
                    None
                }
                Happened::Wake => None,
            };
            if let Some(cause) = ended {
                return Ended::SessionOver(cause);
            }
        }
    }

    /// What is wanted anew does not wait for the repetition of what failed before.
    fn wish<C: Coordinator>(&mut self, session: &mut Session<'_, C, R::Seen>) {
        let wanted = match self.registrant.wish() {
            Wish::Register => true,
            Wish::Keep => self.registration.znode().is_some(),
            Wish::Withdraw => false,
        };
        if self.registration.is_wanted() != wanted {
            session.hurry();
            self.on(Event::Wanted(wanted));
        }
        if self.registrant.renewed() {
            self.on(Event::Renewed);
        }
        self.registrant.stands(&self.registration);
    }

    fn ask<'a, C: Coordinator>(&mut self, session: &mut Session<'a, C, R::Seen>) {
        if !session.is_free() {
            return;
        }
        if let Some(request) = self.registration.next_request() {
            if R::LEAVES_QUIETLY && matches!(request, Request::Delete(_)) {
                session.unwatch();
            }
            session.ask(Box::pin(self.registrant.carry_out(session.link, request)));
            self.registrant.stands(&self.registration);
        }
    }

    fn link_down(&mut self, cause: String) {
        self.notice.down(cause);
        self.registrant.link_is(self.notice.link());
    }

    /// Answers why the session is over, if it is.
    fn on_link(&mut self, state: LinkState) -> Option<String> {
        match state {
            LinkState::Connected => {
                self.notice.up();
                self.registrant.link_is(self.notice.link());
                self.on(Event::LinkUp);
                None
            }
            LinkState::Disconnected => {
                self.link_down("no server answers".to_owned());
                self.on(Event::LinkDown);
                None
            }
            LinkState::Over => Some("the session is over".to_owned()),
        }
    }

    /// Answers why the session is over, if it is.
    fn on_answer<C: Coordinator>(
        &mut self,
        answer: Result<Answer<R::Seen>, CoordinatorError>,
        session: &mut Session<'_, C, R::Seen>,
    ) -> Option<String> {
        match answer {
            Ok(answer) => {
                // A reading follows every failure, so its success does not mean that what failed would succeed now.
                if !matches!(answer.event, Event::Seen { .. } | Event::Failed) {
                    self.backoff.reset();
                    self.notice.solved();
                }
                if let Some(watch) = answer.watch {
                    session.watched(watch);
                }
                if let Some(look) = answer.look {
                    self.on(Event::Rival(look.rival));
                    self.registrant.saw(look.seen);
                }
                self.on(answer.event);
                None
            }
            Err(error) if error.outcome == Outcome::SessionOver => Some(error.to_string()),
            Err(error) => {
                self.notice.complain("a request failed and is tried again", error.to_string());
                session.pause(self.backoff.wait());
                self.on(Event::Failed);
                None
            }
        }
    }

    /// Tells the logic, and the world what it changed.
    fn on(&mut self, event: Event) {
        let change = self.registration.on(event);
        self.registrant.stands(&self.registration);
        if change != Change::None {
            self.registrant.changed_to(&change, &self.registration);
        }
    }
}
