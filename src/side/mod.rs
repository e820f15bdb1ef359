//! A session with ZooKeeper apart from the election's, for what is convenient and must not cost the election anything: one
//! session answers its requests in order, and ends as one. Here it is opened, opened anew and ended, and the parts are run
//! on it; what a part does is its own, in the modules beside this one and wherever else. Nothing of a daemon waits for it.

mod metrics;
mod presence;
mod roster;
mod session;
mod status;
#[cfg(test)]
pub(crate) mod tests;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use capitana_core::Link;
use capitana_core::backoff::Backoff;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::CommonConfig;
use crate::control::{Coordinator, CoordinatorError, Watch, ZooKeeper, ZooKeeperConnector};
use crate::live::Follow;

use presence::{Presence, describe};

pub use metrics::SideMetrics;
pub use roster::{Reading, Roster, When, read_services};
pub use session::run;
pub use status::{Board, ServiceStatus, SideStatus, SideView, Standing};

/// First and longest wait between two attempts to open a session.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(3));
/// How long the end of a session is waited for. Without an answer ZooKeeper ends it by itself.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// A watch can be lost with the connection that held it, so a round is made at least this often.
const REREAD: Duration = Duration::from_secs(10);

/// Something that a process keeps right in ZooKeeper, or follows there. It is state and not events: each round looks at
/// everything anew, so that whatever was missed between two rounds ends in the same state.
pub trait Part<C>: Send + Sync + 'static {
    /// What it is called in the log, in `/status` and as a metric's label.
    fn name(&self) -> &'static str;

    /// Looks at everything and does what follows from it. Answers what is to be waited for before the next round. It is
    /// given up when the link goes down or takes too long, and then made again.
    fn round<'a>(&'a self, session: &'a C) -> Round<'a>;

    /// The link has come up, for the first time or again; a round follows.
    fn connected(&self) {}

    /// The longest time between two rounds that went well.
    fn interval(&self) -> Duration {
        REREAD
    }
}

/// One round of a part.
pub type Round<'a> = Pin<Box<dyn Future<Output = Result<Watch, CoordinatorError>> + Send + 'a>>;

/// The session and what runs on it.
pub struct Side {
    task: JoinHandle<()>,
    stop: CancellationToken,
    /// How it stands.
    pub status: watch::Receiver<SideStatus>,
}

impl Side {
    /// Opens a session, keeps the parts going on it, and opens another whenever one is over.
    #[must_use]
    pub fn start(
        connector: ZooKeeperConnector,
        parts: Vec<Arc<dyn Part<ZooKeeper>>>,
        metrics: SideMetrics,
    ) -> Self {
        let (board, status) = Board::new(metrics);
        let stop = CancellationToken::new();
        let task = tokio::spawn(keep(connector, parts, board, stop.clone()));
        Self { task, stop, status }
    }

    /// Puts a daemon of this kind into the list of services and has it read the list for whoever asks. `addresses` are those
    /// where its clients reach it; `follow` reads its settings on the same session. None: there is no ZooKeeper in the settings.
    #[must_use]
    pub fn join(
        config: &CommonConfig,
        kind: &str,
        addresses: Vec<String>,
        metrics: SideMetrics,
        follow: Option<Follow>,
    ) -> Option<(Self, SideView)> {
        let connector = ZooKeeperConnector::of(config)?;
        let says = (describe(config, addresses), follow.as_ref().map(Follow::status));
        let (presence, registered) =
            Presence::new(&config.services_path, kind, says, metrics.registered.clone());
        let roster = Arc::new(Roster::new(config.services_path.clone(), None, When::Asked));
        let mut parts: Vec<Arc<dyn Part<ZooKeeper>>> = vec![Arc::new(presence), Arc::clone(&roster) as _];
        parts.extend(follow.map(|follow| Arc::new(follow) as _));
        let side = Self::start(connector, parts, metrics);
        let view = SideView { status: side.status.clone(), registered, roster };
        Some((side, view))
    }

    /// Ends the session, so that what stands in ZooKeeper only while this process runs is gone. Waits for that, a second at
    /// most.
    pub async fn end(self) {
        self.stop.cancel();
        // A task that has failed has nothing left to end.
        let _ = timeout(CLOSE_LIMIT, self.task).await;
    }
}

async fn keep(
    connector: ZooKeeperConnector,
    parts: Vec<Arc<dyn Part<ZooKeeper>>>,
    board: Board,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::new(RECONNECT.0, RECONNECT.1, Uuid::new_v4().as_u64_pair().0);
    loop {
        let opened = tokio::select! {
            () = stop.cancelled() => return,
            opened = connector.connect() => opened,
        };
        match opened {
            Ok(session) => {
                backoff.reset();
                tokio::select! {
                    () = stop.cancelled() => return session.close().await,
                    cause = run(&session, &parts, &board) => board.link(&Link::Down(cause)),
                }
            }
            Err(error) => board.not_open(format!("{}: {}", error.what, error.cause)),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(backoff.wait()) => {}
        }
    }
}
