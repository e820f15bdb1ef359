//! Whose znode the registrar keeps: what is wanted, how each request is made, and who is told. An agent's is in
//! `crate::agent::registrant`, a worker's in `crate::worker::registrant`.

use capitana_core::Link;
use capitana_core::candidacy::Wish;
use capitana_core::registration::{Change, Event, Registration, Request};
use tokio_util::sync::CancellationToken;

use crate::control::{Coordinator, CoordinatorError, Watch};

/// The one whose znode is kept.
pub trait Registrant: Send + 'static {
    /// What a look shows beside the registrant's own znodes.
    type Seen: Send;

    /// Whether the watch is given up before the znode is deleted, so that nobody is told but those who wait for it.
    const LEAVES_QUIETLY: bool;

    /// What is to become of the znode.
    fn wish(&self) -> Wish;

    /// Whether the znode's data is to be another than when this was asked last.
    fn renewed(&mut self) -> bool {
        false
    }

    /// Cancelled when the registrar is to end, once there is no znode.
    fn stop(&self) -> &CancellationToken;

    /// Returns when the wish may be another. `told_to_stop`: that the registrar is to end is known.
    fn changed(&mut self, told_to_stop: bool) -> impl Future<Output = ()> + Send;

    /// A session has begun, with this id.
    fn session_began(&mut self, _id: i64) {}

    /// Makes `request` on `session`. The future owns what it needs of the registrant.
    fn carry_out<'a, C: Coordinator>(
        &self,
        session: &'a C,
        request: Request,
    ) -> impl Future<Output = Result<Answer<Self::Seen>, CoordinatorError>> + Send + use<'a, Self, C>;

    /// A look was answered.
    fn saw(&mut self, seen: Self::Seen);

    /// The link to ZooKeeper may have changed.
    fn link_is(&mut self, link: &Link);

    /// How things stand, after whatever happened.
    fn stands(&mut self, registration: &Registration);

    /// The znode changed.
    fn changed_to(&mut self, change: &Change, registration: &Registration);
}

/// A request that was carried out.
pub struct Answer<S> {
    /// What the registration logic is told.
    pub event: Event,
    /// Completes when there may be something new to look at.
    pub watch: Option<Watch>,
    /// What a look showed. None: the request was another one.
    pub look: Option<Look<S>>,
}

/// What a look showed beside the registrant's own znodes.
pub struct Look<S> {
    /// Whether there is a znode beside which there may be none of this registrant's.
    pub rival: bool,
    /// The rest.
    pub seen: S,
}

impl<S> From<Event> for Answer<S> {
    fn from(event: Event) -> Self {
        Self { event, watch: None, look: None }
    }
}
