//! This process in the list of services: one ephemeral znode, named by a GUID that is made at the process's start, so that
//! creating it twice makes one. What is to be done about it is decided in `capitana_core::services`.

use std::time::SystemTime;

use capitana_core::services::{Seen, ServiceData, Step, step};
use prometheus::IntGauge;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Part, Round};
use crate::config::CommonConfig;
use crate::control::{Coordinator, CoordinatorError, Watch};

/// What the process with these settings says of itself. `addresses` are those where its clients reach it.
#[must_use]
pub fn describe(config: &CommonConfig, addresses: Vec<String>) -> ServiceData {
    ServiceData {
        node: config.node_name.clone(),
        addresses,
        admin: config.admin_advertise.as_ref().map(|admin| format!("http://{admin}")).unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        since: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
    }
}

/// What this part is called.
pub(super) const NAME: &str = "presence";
/// Steps in one round: delete what is wrong, create, look. More come only if others meddle, and then the next round does
/// the rest.
const MOST_STEPS: usize = 4;

/// Keeps this process's znode.
pub struct Presence {
    directory: String,
    path: String,
    data: Vec<u8>,
    registered: IntGauge,
    /// The znode's path while it is there.
    at: watch::Sender<Option<String>>,
}

impl Presence {
    /// A process of this kind below `services_path`, which says of itself what is in `data`. The receiver tells its znode's path while it is
    /// there.
    #[must_use]
    pub fn new(
        services_path: &str,
        kind: &str,
        data: &ServiceData,
        registered: IntGauge,
    ) -> (Self, watch::Receiver<Option<String>>) {
        let (at, receiver) = watch::channel(None);
        let directory = format!("{services_path}/{kind}");
        let path = format!("{directory}/{}", Uuid::new_v4());
        (Self { directory, path, data: data.to_bytes(), registered, at }, receiver)
    }

    async fn look<C: Coordinator>(&self, session: &C) -> Result<Watch, CoordinatorError> {
        session.sync(&self.directory).await?;
        for _ in 0..MOST_STEPS {
            let (read, watch) = session.read_and_watch(&self.path).await?;
            let seen = read.map(|(data, stat)| Seen {
                is_ours: stat.ephemeral_owner == session.session_id(),
                is_current: data == self.data,
            });
            self.stands(seen.is_some_and(|seen| seen.is_ours));
            match step(seen) {
                Step::Keep => return Ok(watch),
                Step::Delete => drop(session.delete(&self.path).await?),
                Step::Create => {
                    session.ensure_path(&self.directory).await?;
                    session.create(&self.path, &self.data).await?;
                }
            }
        }
        Ok(Box::pin(std::future::ready(())))
    }

    fn stands(&self, there: bool) {
        self.registered.set(i64::from(there));
        let at = there.then(|| self.path.clone());
        self.at.send_if_modified(|known| {
            let changed = *known != at;
            *known = at;
            changed
        });
    }
}

impl<C: Coordinator> Part<C> for Presence {
    fn name(&self) -> &'static str {
        NAME
    }

    fn round<'a>(&'a self, session: &'a C) -> Round<'a> {
        Box::pin(self.look(session))
    }
}
