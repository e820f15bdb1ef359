//! Keeps the agent's znode as it should be: opens sessions with ZooKeeper, makes the requests that
//! `capitana_core::registration` asks for, one at a time, and tells `notice` what became of them. It decides nothing.

use std::sync::Arc;
use std::time::Duration;

use capitana_core::backoff::Backoff;
use capitana_core::candidacy::Wish;
use capitana_core::registration::{Change, Event, Registration};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::candidate::Candidate;
use super::connect::Connect;
use super::lease::Heart;
use super::metrics::AgentMetrics;
use super::notice::Notice;
use super::requests::{Answer, Member, carry_out};
use super::session::{Happened, Session};
use super::status::{Registered, RegistrationStatus};
use crate::control::{Coordinator, CoordinatorError, LinkState, Outcome};

/// First and longest wait before a failed request, or an attempt to open a session, is repeated. An ensemble that comes
/// back gives every session one timeout to be resumed in: several attempts have to fit in the shortest usual one, 2 s.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));
/// How long the end of a session is waited for. Without an answer the server ends it by itself.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Keeps one znode.
pub struct Registrar {
    registration: Registration,
    member: Member,
    candidate: Candidate,
    heart: Heart,
    notice: Notice,
    backoff: Backoff,
    /// The first candidate's name in the last reading.
    first: Option<String>,
}

/// Why the work on one session ended.
enum Ended {
    SessionOver(String),
    Withdrawn,
}

impl Registrar {
    /// A registrar for `member` that does as `candidate` wishes until its end, and where it publishes.
    #[must_use]
    pub fn new(
        member: Member,
        candidate: Candidate,
        heart: Heart,
        metrics: Arc<AgentMetrics>,
        seed: u64,
    ) -> (Self, watch::Receiver<RegistrationStatus>) {
        let (notice, published) = Notice::new(metrics);
        let registrar = Self {
            registration: Registration::new(),
            member,
            candidate,
            heart,
            notice,
            backoff: Backoff::new(RETRY.0, RETRY.1, seed),
            first: None,
        };
        (registrar, published)
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
                    self.notice.link_down(cause);
                    self.on(Event::SessionOver);
                }
            }
            last = Some(C::last(session));
            self.wait().await;
        }
    }

    /// Opens a session, in as many attempts as it takes. None: the agent is to stop and never had a znode.
    async fn open<C: Connect>(&mut self, connector: &C, last: Option<&C::Last>) -> Option<C::Session> {
        loop {
            let never_up = self.notice.never_up();
            let connected = tokio::select! {
                () = self.candidate.stop.cancelled(), if never_up => return None,
                connected = connector.connect(last) => connected,
            };
            match connected {
                Ok(session) => return Some(session),
                Err(error) => self.notice.link_down(error.to_string()),
            }
            self.wait().await;
        }
    }

    async fn wait(&mut self) {
        let (wait, never_up) = (self.backoff.wait(), self.notice.never_up());
        tokio::select! {
            () = self.candidate.stop.cancelled(), if never_up => {}
            () = sleep(wait) => {}
        }
    }

    async fn serve<C: Coordinator>(&mut self, link: &C) -> Ended {
        self.notice.session_began();
        self.member.sessions.push(link.session_id());
        self.on(Event::SessionBegan(link.session_id()));
        let mut session = Session::new(link);
        loop {
            let stopping = self.candidate.stop.is_cancelled();
            self.wish(&mut session);
            if stopping && self.registration.is_withdrawn() {
                return Ended::Withdrawn;
            }
            self.ask(&mut session);
            let ended = match session.next(&mut self.candidate, stopping).await {
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
    fn wish<C: Coordinator>(&mut self, session: &mut Session<'_, C>) {
        let wanted = match self.candidate.standing().wish() {
            Wish::Register => true,
            Wish::Keep => self.registration.znode().is_some(),
            Wish::Withdraw => false,
        };
        if self.registration.is_wanted() != wanted {
            session.hurry();
            self.on(Event::Wanted(wanted));
        }
        self.publish();
    }

    /// A znode that was first in a reading stays first for as long as it is there: later ones are behind it.
    fn publish(&self) {
        let znode = self.registration.znode();
        let leads = znode.is_some_and(|znode| Some(&znode.name) == self.first.as_ref());
        self.notice.stands(leads, self.registration.is_withdrawn(), self.registration.may_lead());
    }

    fn ask<'a, C: Coordinator>(&mut self, session: &mut Session<'a, C>) {
        if !session.is_free() {
            return;
        }
        if let Some(request) = self.registration.next_request() {
            let since_ms = self.candidate.health.borrow().since_ms;
            session.ask(Box::pin(carry_out(session.link, self.member.clone(), request, since_ms)));
            self.publish();
        }
    }

    /// Answers why the session is over, if it is.
    fn on_link(&mut self, state: LinkState) -> Option<String> {
        match state {
            LinkState::Connected => {
                self.notice.link_up();
                self.on(Event::LinkUp);
                None
            }
            LinkState::Disconnected => {
                self.notice.link_down("no server answers".to_owned());
                self.on(Event::LinkDown);
                None
            }
            LinkState::Over => Some("the session is over".to_owned()),
        }
    }

    /// Answers why the session is over, if it is.
    fn on_answer<C: Coordinator>(
        &mut self,
        answer: Result<Answer, CoordinatorError>,
        session: &mut Session<'_, C>,
    ) -> Option<String> {
        match answer {
            Ok(answer) => {
                // A reading follows every failure, so its success does not mean that what failed would succeed now.
                if !matches!(answer.event, Event::Seen { .. }) {
                    self.backoff.reset();
                    self.notice.solved();
                }
                if let Some(watch) = answer.watch {
                    session.watched(watch);
                    self.first = answer.first;
                    self.on(Event::Rival(answer.rival.is_some()));
                    self.notice.stand_beside(answer.rival.as_ref());
                    self.notice.see(answer.others);
                }
                self.on(answer.event);
                self.publish();
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
        self.publish();
        if change != Change::None {
            let path = &self.member.election_path;
            let registered = self.registration.znode().map(|znode| Registered::at(path, znode));
            self.notice.changed(&change, registered);
        }
    }
}
