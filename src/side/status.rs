//! How the side session and its parts stand: what is said of it in `/status`, in the log and in metrics. One writer, the
//! session's task; it decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use capitana_core::Link;
use capitana_core::services::list::Services;
use serde::Serialize;
use tokio::sync::watch;

use super::metrics::SideMetrics;
use super::roster::Roster;
use crate::admin::Answer;

/// The session and its parts, for `/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SideStatus {
    /// The link to ZooKeeper.
    pub zookeeper: Link,
    /// The parts that have come to the end of a round, by name.
    pub parts: BTreeMap<&'static str, Standing>,
}

/// What became of a part's last round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It went well.
    Well,
    /// Why it failed; it is tried again.
    Failed(String),
}

/// What a daemon's admin endpoint says of the side session and of the list of services.
#[derive(Clone)]
pub struct SideView {
    /// How the session stands.
    pub status: watch::Receiver<SideStatus>,
    /// Where this process is in the list, while it is.
    pub registered: watch::Receiver<Option<String>>,
    /// Reads the list.
    pub roster: Arc<Roster>,
}

/// One snapshot of it.
#[derive(Debug, Serialize)]
pub struct ServiceStatus {
    registered: Option<String>,
    #[serde(flatten)]
    side: SideStatus,
}

impl SideView {
    /// How it is now.
    #[must_use]
    pub fn now(&self) -> ServiceStatus {
        ServiceStatus { registered: self.registered.borrow().clone(), side: self.status.borrow().clone() }
    }

    /// The list of services as it is in ZooKeeper now, or why that cannot be said.
    #[must_use]
    pub fn services(&self) -> Answer<Result<Arc<Services>, String>> {
        let view = self.clone();
        Box::pin(async move {
            let cause = match &view.status.borrow().zookeeper {
                Link::Up => None,
                Link::Down(cause) => Some(format!("ZooKeeper cannot be reached: {cause}")),
                Link::NeverUp(Some(cause)) => Some(format!("ZooKeeper has not been reached yet: {cause}")),
                Link::NeverUp(None) => Some("ZooKeeper has not answered yet".to_owned()),
            };
            match cause {
                Some(cause) => Err(cause),
                None => view.roster.ask().await.map_err(|why| view.failure().unwrap_or(why)),
            }
        })
    }

    /// Why the list could not be read, if that is so.
    fn failure(&self) -> Option<String> {
        match self.status.borrow().parts.get(super::roster::NAME) {
            Some(Standing::Failed(cause)) => Some(cause.clone()),
            _ => None,
        }
    }
}

/// Where the session's task says how it stands.
pub struct Board {
    status: watch::Sender<SideStatus>,
    metrics: SideMetrics,
}

impl Board {
    /// Never up yet, and no part has made a round.
    #[must_use]
    pub fn new(metrics: SideMetrics) -> (Self, watch::Receiver<SideStatus>) {
        let begin = SideStatus { zookeeper: Link::NeverUp(None), parts: BTreeMap::new() };
        let (status, receiver) = watch::channel(begin);
        (Self { status, metrics }, receiver)
    }

    /// The link is now like this.
    pub fn link(&self, link: &Link) {
        self.metrics.connected.set(i64::from(*link == Link::Up));
        let mut before = link.clone();
        self.status.send_modify(|status| std::mem::swap(&mut status.zookeeper, &mut before));
        match link {
            Link::Down(cause) if before == Link::Up => {
                tracing::warn!(
                    cause,
                    "side session: ZooKeeper does not answer; registration and lists wait for it"
                );
            }
            Link::Up if before != Link::Up => tracing::info!("side session: ZooKeeper answers"),
            _ => {}
        }
    }

    /// A session was opened.
    pub fn opened(&self) {
        self.metrics.sessions.inc();
    }

    /// No session could be opened. Said once; the election's session says why as well.
    pub fn not_open(&self, cause: String) {
        let known = self.status.borrow().zookeeper.clone();
        match known {
            Link::NeverUp(before) => {
                if before.is_none() {
                    tracing::warn!(cause, "side session: no session with ZooKeeper yet");
                }
                self.link(&Link::NeverUp(Some(cause)));
            }
            Link::Up | Link::Down(_) => self.link(&Link::Down(cause)),
        }
    }

    /// A round of `part` went well.
    pub fn well(&self, part: &'static str) {
        self.stands(part, &Standing::Well);
    }

    /// A round of `part` failed.
    pub fn failed(&self, part: &'static str, cause: String) {
        self.metrics.failed(part);
        self.stands(part, &Standing::Failed(cause));
    }

    /// Said when it changes, not each time.
    fn stands(&self, part: &'static str, standing: &Standing) {
        let mut before = None;
        self.status.send_if_modified(|status| {
            before = status.parts.insert(part, standing.clone());
            before.as_ref() != Some(standing)
        });
        match (&before, standing) {
            (None | Some(Standing::Well), Standing::Failed(cause)) => {
                tracing::warn!(part, cause, "side session: a round failed and is made again");
            }
            (Some(Standing::Failed(_)), Standing::Well) => {
                tracing::info!(part, "side session: a round went well again");
            }
            _ => {}
        }
    }
}
