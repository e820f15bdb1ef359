//! The list of services: how it is read, and the part that reads it, either at each change or only when somebody asks. When a
//! reading is taken for true is decided in `capitana_core::services::belief`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use capitana_core::services::belief::{Belief, Verdict};
use capitana_core::services::list::{RawService, Services};
use futures_util::future::{select_all, try_join_all};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::{Part, REREAD, Round};
use crate::control::{Coordinator, CoordinatorError, Watch};

/// What this part is called.
pub(super) const NAME: &str = "services";
/// How long who asks for the list is kept waiting.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// When the list is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// When somebody asks for it. A thousand processes that all watched each other would be told a thousand times of every
    /// one that comes or goes, and nobody would look.
    Asked,
    /// At each change.
    Changed,
}

/// What was read last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// It was begun after this many had asked.
    asked: u64,
    /// The list, or why it is not taken for true.
    pub list: Result<Arc<Services>, String>,
}

/// Reads the list of services.
pub struct Roster {
    path: String,
    kind: Option<String>,
    when: When,
    asked: watch::Sender<u64>,
    read: watch::Sender<Option<Reading>>,
    belief: Mutex<Belief>,
    started: Instant,
}

impl Roster {
    /// The services below `path`; of one kind only, if one is named.
    #[must_use]
    pub fn new(path: String, kind: Option<String>, when: When) -> Self {
        let (asked, read) = (watch::Sender::new(0), watch::Sender::new(None));
        Self { path, kind, when, asked, read, belief: Mutex::default(), started: Instant::now() }
    }

    /// Every list that is taken for true, or why the last one is not.
    pub fn follow(&self) -> watch::Receiver<Option<Reading>> {
        self.read.subscribe()
    }

    /// The list as it is in ZooKeeper now: read after this was asked.
    ///
    /// # Errors
    /// Why it cannot be said, for people.
    pub async fn ask(&self) -> Result<Arc<Services>, String> {
        let mut number = 0;
        self.asked.send_modify(|asked| {
            *asked += 1;
            number = *asked;
        });
        let mut read = self.read.subscribe();
        let answered = read.wait_for(|read| read.as_ref().is_some_and(|read| read.asked >= number));
        match timeout(ANSWER_LIMIT, answered).await {
            Ok(Ok(read)) => read.as_ref().map_or_else(|| Err(String::new()), |read| read.list.clone()),
            _ => Err(format!("ZooKeeper has not answered within {ANSWER_LIMIT:?}")),
        }
    }

    async fn look<C: Coordinator>(&self, session: &C) -> Result<Watch, CoordinatorError> {
        let asked = *self.asked.borrow();
        let nobody_asks = self.read.borrow().as_ref().map_or(0, |read| read.asked) == asked;
        if self.when == When::Asked && nobody_asks {
            return Ok(self.next_question(asked));
        }
        let (raw, watch) = read_services(session, &self.path, self.kind.as_deref()).await?;
        let list = Services::read(raw);
        let now = self.started.elapsed();
        let verdict = self.belief.lock().unwrap_or_else(PoisonError::into_inner).judge(&list, now);
        let (list, again) = match verdict {
            Verdict::Believed => (Ok(Arc::new(list)), Duration::MAX),
            Verdict::Doubted(left) => (Err(doubt(left)), left),
        };
        self.read.send_replace(Some(Reading { asked, list }));
        Ok(match self.when {
            When::Asked => self.next_question(asked),
            When::Changed => Box::pin(async move {
                tokio::select! {
                    () = watch => {}
                    () = sleep(again) => {}
                }
            }),
        })
    }

    /// Completes when more than `asked` have asked.
    fn next_question(&self, asked: u64) -> Watch {
        let mut questions = self.asked.subscribe();
        Box::pin(async move {
            // Whoever could ask is gone: there is nothing left to wait for, and the session ends this.
            if questions.wait_for(|now| *now > asked).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

fn doubt(left: Duration) -> String {
    format!(
        "the list is empty or lacks services that were there, and ZooKeeper answers only since a moment ago: they may not \
         have registered again yet. It is believed in {:.0} s",
        left.as_secs_f64().ceil()
    )
}

impl<C: Coordinator> Part<C> for Roster {
    fn name(&self) -> &'static str {
        NAME
    }

    fn round<'a>(&'a self, session: &'a C) -> Round<'a> {
        Box::pin(self.look(session))
    }

    fn connected(&self) {
        let now = self.started.elapsed();
        self.belief.lock().unwrap_or_else(PoisonError::into_inner).connected(now);
    }

    fn interval(&self) -> Duration {
        match self.when {
            When::Asked => Duration::MAX,
            When::Changed => REREAD,
        }
    }
}

/// Reads all services below `path`, or those of one kind, and answers what to watch: it completes when a kind or a service of
/// one comes or goes. A path that is not there is an empty list.
///
/// # Errors
/// The request that failed.
pub async fn read_services<C: Coordinator>(
    session: &C,
    path: &str,
    kind: Option<&str>,
) -> Result<(Vec<RawService>, Watch), CoordinatorError> {
    session.sync(path).await?;
    let (kinds, mut watches) = match kind {
        Some(kind) => (vec![kind.to_owned()], Vec::new()),
        None => {
            let kinds = session.children(path).await?;
            (kinds.names, vec![kinds.watch])
        }
    };
    let mut services = Vec::new();
    for (read, watch) in try_join_all(kinds.iter().map(|kind| read_kind(session, path, kind))).await? {
        services.extend(read);
        watches.push(watch);
    }
    Ok((services, Box::pin(async move { drop(select_all(watches).await) })))
}

/// The children are asked for at once, so that a thousand of them do not take as many round trips.
async fn read_kind<C: Coordinator>(
    session: &C,
    path: &str,
    kind: &str,
) -> Result<(Vec<RawService>, Watch), CoordinatorError> {
    let parent = format!("{path}/{kind}");
    let children = session.children(&parent).await?;
    let reads = children.names.into_iter().map(|id| read_service(session, &parent, kind, id));
    let services = try_join_all(reads).await?;
    Ok((services.into_iter().flatten().collect(), children.watch))
}

/// None: it has gone since it was listed; the watch will tell.
async fn read_service<C: Coordinator>(
    session: &C,
    parent: &str,
    kind: &str,
    id: String,
) -> Result<Option<RawService>, CoordinatorError> {
    let read = session.read(&format!("{parent}/{id}")).await?;
    Ok(read.map(|(data, stat)| RawService {
        kind: kind.to_owned(),
        id,
        ephemeral_owner: stat.ephemeral_owner,
        data,
    }))
}
