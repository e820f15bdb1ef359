//! How the side session and its parts stand: what is said of it in `/status`, in the log and in metrics. One writer, the
//! session's task; it decides nothing.

use std::collections::BTreeMap;

use capitana_core::Link;
use serde::Serialize;
use tokio::sync::watch;

use super::metrics::SideMetrics;

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

/// What a daemon's `/status` says of the side session and of its place in the list of services.
#[derive(Debug, Clone)]
pub struct SideView {
    /// How the session stands.
    pub status: watch::Receiver<SideStatus>,
    /// Where this process is in the list, while it is.
    pub registered: watch::Receiver<Option<String>>,
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
