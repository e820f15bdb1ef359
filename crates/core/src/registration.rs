//! The one znode of one agent: a pure state machine that says which request to make next. It owns the rule that an
//! agent never has two znodes, whatever replies are lost. Making the requests, and waiting after a failure, is its
//! caller's, who makes one at a time: `next_request`, then the `Event` that answers it, then again.
//!
//! - A znode is the agent's own if its data carries the agent's GUID. It counts only if this session owns it; one of
//!   an earlier session, or a second one, is removed before anything is created.
//! - Whenever the outcome of a request is unknown, or the link was down, the election path is read (after a `sync`)
//!   before anything is created.
//! - A znode that is not wanted any more is deleted first, before any reading.
//! - Beside a rival's znode (`kin`) none is created.

use crate::Epoch;

/// A znode that carries the agent's GUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnZnode {
    /// Its name, without the parent.
    pub name: String,
    /// Its creation zxid: the epoch of its leadership.
    pub epoch: Epoch,
    /// The session that owns it.
    pub session: i64,
}

/// What the caller has to ask of ZooKeeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `sync`, then read the election path: answered by `Event::Seen`.
    Look,
    /// Create the election path: answered by `Event::PathReady`.
    EnsurePath,
    /// Create the znode: answered by `Event::Created`.
    Create,
    /// Delete the child of this name: answered by `Event::Deleted`.
    Delete(String),
    /// Write what the data is to be now into the child of this name: answered by `Event::Updated`.
    Update(String),
}

/// What became of things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Whether there should be a znode.
    Wanted(bool),
    /// A session has begun, with its id, and its link is up.
    SessionBegan(i64),
    /// The session cannot be used again. What it owned is gone, or will be.
    SessionOver,
    /// The session's link is up again: things may have happened unseen.
    LinkUp,
    /// The session's link is down: nothing is asked until it is up.
    LinkDown,
    /// The election path may have changed.
    Recheck,
    /// Whether a rival has a znode, as the look has shown that `Seen` answers next.
    Rival(bool),
    /// Answer to `Look`: whether the path exists, and the children that are the agent's own.
    Seen {
        /// Whether the election path exists.
        exists: bool,
        /// Znodes of the agent's own, in no order, of any session.
        own: Vec<OwnZnode>,
    },
    /// Answer to `EnsurePath`.
    PathReady,
    /// Answer to `Create`.
    Created(OwnZnode),
    /// Answer to `Delete`: it is gone, whoever deleted it.
    Deleted,
    /// The data is to be another than before. What is created from now on has it already.
    Renewed,
    /// Answer to `Update`.
    Updated,
    /// Any request failed: refused, or its outcome is unknown.
    Failed,
}

/// What a caller tells the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// The agent has its znode.
    Registered(OwnZnode),
    /// The agent's znode was deleted because it is not wanted.
    Withdrawn(OwnZnode),
    /// The agent's znode was deleted by somebody else, or went with its session.
    Lost(OwnZnode),
    /// A znode left over from an earlier session or request was removed.
    RemovedLeftover(String),
}

/// Follows one agent's znode.
#[derive(Debug)]
pub struct Registration {
    wanted: bool,
    session: Option<i64>,
    link_up: bool,
    znode: Option<OwnZnode>,
    /// Znodes of the agent's own that must go.
    leftovers: Vec<String>,
    rival: bool,
    path_exists: bool,
    /// Whether `znode`, `leftovers` and `path_exists` may be wrong.
    stale: bool,
    in_flight: Option<Request>,
    /// The znode's data is not what it is to be.
    outdated: bool,
    /// No reading has shown yet what came of a create, or what there was before this session.
    unsure: bool,
}

impl Default for Registration {
    fn default() -> Self {
        Self::new()
    }
}

impl Registration {
    /// An agent without a session, that wants no znode yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            wanted: false,
            session: None,
            link_up: false,
            znode: None,
            leftovers: Vec::new(),
            rival: false,
            path_exists: false,
            stale: true,
            in_flight: None,
            outdated: false,
            unsure: true,
        }
    }

    /// Whether there should be a znode.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// The znode the agent has, as far as it knows.
    #[must_use]
    pub fn znode(&self) -> Option<&OwnZnode> {
        self.znode.as_ref()
    }

    /// Whether a znode may lead clients to the agent's server: one it has, one that is left over, another one that names
    /// its server, or one that it does not know of because the reply to its creation is still to come or was lost.
    #[must_use]
    pub fn may_lead(&self) -> bool {
        self.znode.is_some() || self.unsure || self.rival || !self.leftovers.is_empty()
    }

    /// Whether there is a znode that is to stay, as far as is known: none that is being deleted, or that may have gone with a
    /// link that is down.
    #[must_use]
    pub fn is_standing(&self) -> bool {
        let going = matches!(self.in_flight, Some(Request::Delete(_)));
        self.wanted && self.link_up && self.znode.is_some() && !going
    }

    /// Whether there is certainly no znode and none is on its way: the agent may leave.
    #[must_use]
    pub fn is_withdrawn(&self) -> bool {
        !self.wanted
            && !self.stale
            && self.znode.is_none()
            && self.leftovers.is_empty()
            && self.in_flight.is_none()
    }

    /// The request to make now, once the one before it has been answered. None: wait for an event.
    pub fn next_request(&mut self) -> Option<Request> {
        if self.in_flight.is_some() || self.session.is_none() || !self.link_up {
            return None;
        }
        self.in_flight = self.due();
        if self.in_flight == Some(Request::Look) {
            // Cleared when it is asked, not when it is answered: what happens meanwhile asks for another look.
            self.stale = false;
        }
        self.unsure |= self.in_flight == Some(Request::Create);
        if matches!(self.in_flight, Some(Request::Create | Request::Update(_))) {
            // The same: what is renewed while the request is out is not in it.
            self.outdated = false;
        }
        self.in_flight.clone()
    }

    fn due(&self) -> Option<Request> {
        match &self.znode {
            Some(znode) if !self.wanted => return Some(Request::Delete(znode.name.clone())),
            _ if self.stale => return Some(Request::Look),
            _ => {}
        }
        if let Some(name) = self.leftovers.first() {
            return Some(Request::Delete(name.clone()));
        }
        if let Some(znode) = self.znode.as_ref().filter(|_| self.outdated) {
            return Some(Request::Update(znode.name.clone()));
        }
        match (self.wanted && self.znode.is_none() && !self.rival, self.path_exists) {
            (true, false) => Some(Request::EnsurePath),
            (true, true) => Some(Request::Create),
            (false, _) => None,
        }
    }

    /// Takes an event in.
    pub fn on(&mut self, event: Event) -> Change {
        match event {
            Event::Wanted(wanted) => self.wanted = wanted,
            Event::SessionBegan(id) => return self.session_is(Some(id)),
            Event::SessionOver => return self.session_is(None),
            Event::LinkUp => {
                self.link_up = true;
                self.stale = true;
            }
            Event::LinkDown => {
                self.link_up = false;
                self.stale = true;
            }
            Event::Recheck => self.stale = true,
            Event::Rival(rival) => self.rival = rival,
            Event::Seen { exists, own } => return self.seen(exists, own),
            Event::PathReady => {
                self.in_flight = None;
                self.path_exists = true;
            }
            Event::Created(znode) => {
                self.in_flight = None;
                self.unsure = false;
                self.znode = Some(znode.clone());
                return Change::Registered(znode);
            }
            Event::Deleted => return self.deleted(),
            Event::Renewed => self.outdated = true,
            Event::Updated => self.in_flight = None,
            Event::Failed => {
                self.outdated |= matches!(self.in_flight, Some(Request::Update(_)));
                self.in_flight = None;
                self.stale = true;
            }
        }
        Change::None
    }

    /// Whatever was asked of the old session is not waited for: what it did shows in the first reading. Where there was
    /// certainly no znode before, there is none.
    fn session_is(&mut self, session: Option<i64>) -> Change {
        let unsure = self.may_lead();
        let lost = self.znode.take();
        self.link_up = session.is_some();
        let outdated = self.outdated || matches!(self.in_flight, Some(Request::Update(_)));
        *self = Self { wanted: self.wanted, session, link_up: self.link_up, outdated, unsure, ..Self::new() };
        lost.map_or(Change::None, Change::Lost)
    }

    fn seen(&mut self, exists: bool, own: Vec<OwnZnode>) -> Change {
        self.in_flight = None;
        self.unsure = false;
        self.path_exists = exists;
        let (mut valid, invalid): (Vec<_>, Vec<_>) =
            own.into_iter().partition(|z| Some(z.session) == self.session);
        valid.sort_by_key(|z| z.epoch);
        let mut valid = valid.into_iter();
        // The oldest is kept: it may lead already.
        let found = valid.next();
        self.leftovers = valid.chain(invalid).map(|z| z.name).collect();
        let known = std::mem::replace(&mut self.znode, found.clone());
        match (known, found) {
            (known, Some(found)) if known.as_ref() != Some(&found) => Change::Registered(found),
            (Some(known), None) => Change::Lost(known),
            _ => Change::None,
        }
    }

    fn deleted(&mut self) -> Change {
        let Some(Request::Delete(name)) = self.in_flight.take() else {
            self.stale = true;
            return Change::None;
        };
        if self.znode.as_ref().is_some_and(|z| z.name == name) {
            return self.znode.take().map_or(Change::None, Change::Withdrawn);
        }
        self.leftovers.retain(|other| *other != name);
        Change::RemovedLeftover(name)
    }
}
