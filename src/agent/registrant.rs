//! The agent as the one whose znode the registrar keeps: wants it as its `Candidate` does, makes requests as `requests`
//! does, and publishes by its `Notice`.

use std::sync::Arc;

use capitana_core::Link;
use capitana_core::candidacy::Wish;
use capitana_core::kin::Rival;
use capitana_core::registration::{Change, Registration, Request};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::candidate::Candidate;
use super::metrics::AgentMetrics;
use super::notice::Notice;
use super::requests::{Member, carry_out};
use super::status::{Others, Registered, RegistrationStatus};
use crate::control::{Coordinator, CoordinatorError};
use crate::registrar::{Answer, Registrant};

/// One agent.
pub struct AgentRegistrant {
    member: Member,
    candidate: Candidate,
    notice: Notice,
    /// The first candidate's name in the last reading.
    first: Option<String>,
}

/// What a look shows of the other candidates.
pub struct Seen {
    /// The first candidate's name; none: there is no candidate.
    pub(super) first: Option<String>,
    /// The other candidates.
    pub(super) others: Others,
    /// Who has a znode beside which there may be none of this agent's.
    pub(super) rival: Option<Rival>,
}

impl AgentRegistrant {
    /// `member`, which does as `candidate` wishes, and where it publishes. `others` are those that an earlier run has read of.
    #[must_use]
    pub fn new(
        member: Member,
        candidate: Candidate,
        others: Others,
        metrics: Arc<AgentMetrics>,
    ) -> (Self, watch::Receiver<RegistrationStatus>) {
        let (notice, published) = Notice::new(metrics, others);
        (Self { member, candidate, notice, first: None }, published)
    }
}

impl Registrant for AgentRegistrant {
    type Seen = Seen;
    /// The watch also tells of the others.
    const LEAVES_QUIETLY: bool = false;

    fn wish(&self) -> Wish {
        self.candidate.standing().wish()
    }

    /// Of the data only the lag changes while the agent runs.
    fn renewed(&mut self) -> bool {
        let lag = self.candidate.health.borrow().lag;
        let is_new = self.member.data.lag != lag;
        self.member.data.lag = lag;
        is_new
    }

    fn stop(&self) -> &CancellationToken {
        &self.candidate.stop
    }

    async fn changed(&mut self, told_to_stop: bool) {
        self.candidate.changed(told_to_stop).await;
    }

    fn session_began(&mut self, id: i64) {
        self.member.sessions.push(id);
    }

    fn carry_out<'a, C: Coordinator>(
        &self,
        session: &'a C,
        request: Request,
    ) -> impl Future<Output = Result<Answer<Seen>, CoordinatorError>> + Send + use<'a, C> {
        let since_ms = self.candidate.health.borrow().since_ms;
        carry_out(session, self.member.clone(), request, since_ms)
    }

    fn saw(&mut self, seen: Seen) {
        self.first = seen.first;
        self.notice.stand_beside(seen.rival.as_ref());
        self.notice.see(seen.others);
    }

    fn link_is(&mut self, link: &Link) {
        self.notice.link_is(link);
    }

    /// A znode that was first in a reading stays first for as long as it is there: later ones are behind it.
    fn stands(&mut self, registration: &Registration) {
        let leads = registration.znode().is_some_and(|znode| Some(&znode.name) == self.first.as_ref());
        self.notice.stands(leads, registration);
    }

    fn changed_to(&mut self, change: &Change, registration: &Registration) {
        let path = &self.member.election_path;
        let registered = registration.znode().map(|znode| Registered::at(path, znode));
        self.notice.changed(change, registered);
    }
}
