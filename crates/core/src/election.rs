//! Which primary a proxy follows: a pure state machine over readings of the election path and the state of the
//! link to ZooKeeper. It owns the rule that an epoch never goes back. Reading, dialling and draining are elsewhere.

use std::time::Duration;

use serde::Serialize;

use crate::{AllowList, Epoch, HostPort, RawView, Skipped, View};

/// Where sessions of one epoch go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Route {
    /// The primary's epoch.
    pub epoch: Epoch,
    /// The primary's address.
    pub upstream: HostPort,
}

/// What the follower task saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The election path was read, after a `sync`.
    Read(RawView),
    /// The list of candidates, of which only the state was looked at after a `sync`, has this `pzxid`; 0 where the
    /// path does not exist.
    Seen(i64),
    /// The election path could not be read, with the cause for people.
    ReadFailed(String),
    /// The link to ZooKeeper is up.
    LinkUp,
    /// The link to ZooKeeper is down, with the cause for people.
    LinkDown(String),
}

/// What an event changed for sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// New sessions go here, and those of older epochs end.
    Opened(Route),
    /// The election has no candidate: new clients wait, sessions of the last epoch go on.
    Closed,
    /// The reading is older than one already seen and was not used.
    Stale,
}

/// The state of the link to ZooKeeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "cause")]
pub enum Link {
    /// Never up since the start.
    NeverUp(Option<String>),
    /// Up.
    Up,
    /// Was up, and is down now.
    Down(String),
}

/// Follows one election.
#[derive(Debug)]
pub struct Election {
    allowed: AllowList,
    link: Link,
    view: View,
    path_exists: Option<bool>,
    read_failure: Option<String>,
    read_at: Option<Duration>,
    /// That of the last reading that was believed.
    view_pzxid: i64,
    newest_pzxid: i64,
    newest_epoch: Option<Epoch>,
    route: Option<Route>,
}

impl Election {
    /// An election of which nothing is known yet.
    #[must_use]
    pub fn new(allowed: AllowList) -> Self {
        Self {
            allowed,
            link: Link::NeverUp(None),
            view: View::default(),
            path_exists: None,
            read_failure: None,
            read_at: None,
            view_pzxid: 0,
            newest_pzxid: 0,
            newest_epoch: None,
            route: None,
        }
    }

    /// Takes an event in; `now` is the caller's monotonic clock.
    pub fn on(&mut self, event: Event, now: Duration) -> Change {
        match event {
            Event::LinkUp => {
                self.link = Link::Up;
                Change::None
            }
            Event::LinkDown(cause) => {
                self.link = match self.link {
                    Link::NeverUp(_) => Link::NeverUp(Some(cause)),
                    Link::Up | Link::Down(_) => Link::Down(cause),
                };
                Change::None
            }
            Event::ReadFailed(cause) => {
                self.read_failure = Some(cause);
                Change::None
            }
            Event::Read(raw) => self.read(&raw, now),
            Event::Seen(pzxid) => {
                self.read_at = self.read_at.map(|at| if pzxid == self.view_pzxid { now } else { at });
                Change::None
            }
        }
    }

    /// The primary that is followed, if there is one.
    #[must_use]
    pub fn route(&self) -> Option<&Route> {
        self.route.as_ref()
    }

    /// The newest epoch that was followed.
    #[must_use]
    pub fn newest_epoch(&self) -> Option<Epoch> {
        self.newest_epoch
    }

    /// The last reading that was believed.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The link to ZooKeeper.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Why the last attempt to read the election failed; none if it did not.
    #[must_use]
    pub fn read_failure(&self) -> Option<&str> {
        self.read_failure.as_deref()
    }

    /// When the last believed reading was made, or was found to hold still.
    #[must_use]
    pub fn read_at(&self) -> Option<Duration> {
        self.read_at
    }

    /// Why there is no primary, for the client that waited for one. None while there is one.
    #[must_use]
    pub fn why_no_route(&self) -> Option<String> {
        if self.route.is_some() {
            return None;
        }
        let unusable = self.view.skipped.len() + self.view.members.len();
        let why = match (&self.link, self.path_exists, unusable) {
            (Link::NeverUp(None), ..) => "ZooKeeper has not answered yet".to_owned(),
            (Link::NeverUp(Some(cause)), ..) => format!("ZooKeeper cannot be reached: {cause}"),
            (Link::Down(cause), None, _) => format!("ZooKeeper cannot be reached: {cause}"),
            (Link::Up, None, _) => match &self.read_failure {
                Some(cause) => format!("the election cannot be read: {cause}"),
                None => "the election has not been read yet".to_owned(),
            },
            (_, Some(false), _) => {
                "the election path does not exist, so no agent has registered yet".to_owned()
            }
            (_, Some(true), 0) => "no server is registered in the election".to_owned(),
            (_, Some(true), n) => format!("none of the {n} registered servers can be used"),
        };
        match (&self.link, self.path_exists) {
            (Link::Down(cause), Some(_)) => {
                Some(format!("{why}, and ZooKeeper cannot be reached any more: {cause}"))
            }
            _ => Some(why),
        }
    }

    /// A list older than one already seen is a lagging follower's and is not believed. In a list that is believed, a
    /// candidate older than an epoch already followed is passed over: it became readable late, and going back to it
    /// would break the order of epochs.
    fn read(&mut self, raw: &RawView, now: Duration) -> Change {
        self.read_failure = None;
        if raw.exists && raw.pzxid < self.newest_pzxid {
            return Change::Stale;
        }
        self.view_pzxid = raw.pzxid;
        self.newest_pzxid = self.newest_pzxid.max(raw.pzxid);
        self.path_exists = Some(raw.exists);
        self.read_at = Some(now);
        self.view = View::read(raw, &self.allowed);
        let next = self.view.members.iter().find(|m| Some(m.epoch) >= self.newest_epoch);
        self.switch_to(next.map(|p| Route { epoch: p.epoch, upstream: p.upstream.clone() }))
    }

    fn switch_to(&mut self, next: Option<Route>) -> Change {
        // What a znode's data was when its epoch was first followed stands for the whole epoch: two addresses in one epoch
        // would be two primaries.
        let same_epoch = |a: &Route, b: &Route| a.epoch == b.epoch;
        match (&next, &self.route) {
            (None, None) => return Change::None,
            (Some(next), Some(route)) if same_epoch(next, route) => return Change::None,
            _ => {}
        }
        self.route.clone_from(&next);
        match next {
            Some(route) => {
                self.newest_epoch = Some(route.epoch);
                Change::Opened(route)
            }
            None => Change::Closed,
        }
    }
}

/// The children of `view` that `before` did not skip: what is worth a log line and a count.
#[must_use]
pub fn newly_skipped(before: &View, view: &View) -> Vec<Skipped> {
    let known = |s: &&Skipped| !before.skipped.contains(s);
    view.skipped.iter().filter(known).cloned().collect()
}
