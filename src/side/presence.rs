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
use crate::live::ConfigStatus;

/// What the process with these settings says of itself. `addresses` are those where its clients reach it.
#[must_use]
pub fn describe(config: &CommonConfig, addresses: Vec<String>) -> ServiceData {
    ServiceData {
        node: config.node_name.clone(),
        addresses,
        admin: config.admin_advertise.as_ref().map(|admin| format!("http://{admin}")).unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        since: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        config: None,
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
    data: ServiceData,
    /// How the process's settings stand; none: it looks at none in ZooKeeper.
    settings: Option<watch::Receiver<ConfigStatus>>,
    registered: IntGauge,
    /// The znode's path while it is there.
    at: watch::Sender<Option<String>>,
}

impl Presence {
    /// A process of this kind below `services_path`, which says of itself what is in `data`, and how its settings stand. The
    /// receiver tells its znode's path while it is there.
    #[must_use]
    pub fn new(
        services_path: &str,
        kind: &str,
        (data, settings): (ServiceData, Option<watch::Receiver<ConfigStatus>>),
        registered: IntGauge,
    ) -> (Self, watch::Receiver<Option<String>>) {
        let (at, receiver) = watch::channel(None);
        let directory = format!("{services_path}/{kind}");
        let path = format!("{directory}/{}", Uuid::new_v4());
        (Self { directory, path, data, settings, registered, at }, receiver)
    }

    async fn look<C: Coordinator>(&self, session: &C) -> Result<Watch, CoordinatorError> {
        session.sync(&self.directory).await?;
        let mut settings = self.settings.clone();
        let in_use = settings.as_mut().map(|settings| settings.borrow_and_update().in_use());
        let data = ServiceData { config: in_use, ..self.data.clone() }.to_bytes();
        for _ in 0..MOST_STEPS {
            let (read, watch) = session.read_and_watch(&self.path).await?;
            let seen = read.map(|(found, stat)| Seen {
                is_ours: stat.ephemeral_owner == session.session_id(),
                is_current: found == data,
            });
            self.stands(seen.is_some_and(|seen| seen.is_ours));
            match step(seen) {
                Step::Keep => return Ok(either(watch, settings)),
                Step::Write => drop(session.write(&self.path, &data).await?),
                Step::Delete => drop(session.delete(&self.path).await?),
                Step::Create => {
                    session.ensure_path(&self.directory).await?;
                    session.create(&self.path, &data).await?;
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

/// Waits for a change of the znode, or of what it has to say.
fn either(znode: Watch, settings: Option<watch::Receiver<ConfigStatus>>) -> Watch {
    let Some(mut settings) = settings else { return znode };
    Box::pin(async move {
        tokio::select! {
            () = znode => {}
            Ok(()) = settings.changed() => {}
        }
    })
}

impl<C: Coordinator> Part<C> for Presence {
    fn name(&self) -> &'static str {
        NAME
    }

    fn round<'a>(&'a self, session: &'a C) -> Round<'a> {
        Box::pin(self.look(session))
    }
}
