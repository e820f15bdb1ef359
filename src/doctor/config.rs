//! Looks at the settings for all daemons in ZooKeeper: what they say, and who may change them. Changes nothing.

use capitana_core::doctor::acl::Place;
use capitana_core::doctor::{Finding, settings};
use capitana_core::liveconfig::{Current, Revision};

use super::Settings;
use super::election::acl_of;
use crate::config::document;
use crate::config::keys::{Kind, check_live};
use crate::config::load::{Daemon, Loaded};
use crate::control::ZooKeeper;
use crate::control::coordinator::{Coordinator, CoordinatorError};
use crate::error::Error;
use crate::live::{self, Store};

/// What they are called in findings.
pub(super) const SUBJECT: &str = "settings in ZooKeeper";

/// What the settings for the daemons of one kind are.
pub(super) struct Stored {
    kind: Kind,
    path: String,
    /// The newest, whether they can be used or not; none: there are none.
    newest: Result<Option<Current>, CoordinatorError>,
    /// Who may change them. None if they may not be read: then they are not everybody's.
    pub(super) place: Option<Place>,
}

/// Reads them.
pub(super) async fn read(session: &ZooKeeper, stores: &[(Kind, Store)]) -> Vec<Stored> {
    let mut all = Vec::new();
    for (kind, store) in stores {
        let path = store.path().to_owned();
        let newest = store.current(session).await.map(|(newest, _)| newest);
        let place = place(session, &path).await.ok();
        all.push(Stored { kind: *kind, path, newest, place });
    }
    all
}

/// Has `settings` hold as they do in a daemon, which has what is in ZooKeeper beat its file, and says that it is so.
pub(super) fn take_over<D: Daemon>(settings: &mut Settings<D>, stored: &[Stored]) -> Option<Finding> {
    let stored = stored.iter().find(|stored| stored.kind == D::KIND)?;
    let unused = |why: String| settings::LIVE_UNUSED.at(SUBJECT, why);
    let revision = match &stored.newest {
        Ok(newest) => &newest.as_ref()?.revision,
        Err(error) => return Some(unused(format!("{}: {}", error.what, error.cause))),
    };
    match put_together(settings, &stored.path, revision) {
        Ok((said, loaded)) => {
            settings.config = loaded.config;
            settings.warnings = loaded.warnings;
            Some(settings::LIVE.at(SUBJECT, said))
        }
        Err(error) => Some(unused(error.to_string())),
    }
}

/// Also answers which settings are set.
fn put_together<D: Daemon>(
    settings: &Settings<D>,
    path: &str,
    revision: &Revision,
) -> Result<(String, Loaded<D::Config>), Error> {
    let place = document::Place::Znode { path: path.to_owned(), version: revision.version };
    let document = live::parse(place, &revision.text)?;
    check_live(&document, D::KIND)?;
    let keys: Vec<_> = document.keys().collect();
    let keys = if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") };
    let said = format!("{} sets {keys}", document.place());
    settings.with(document).map(|loaded| (said, loaded))
}

async fn place(session: &ZooKeeper, path: &str) -> Result<Place, CoordinatorError> {
    let mut at = path;
    // The root is there, unless the connect string ends with a znode that is not: then its ACL cannot be had.
    while at != "/" && session.read(at).await?.is_none() {
        at = above(at);
    }
    let found = acl_of(session, at).await?;
    Ok(match at == path {
        true => Place::There { znode: found, parent: acl_of(session, above(path)).await.ok() },
        false => Place::Missing { path: path.to_owned(), ancestor: found },
    })
}

/// The znode above; that of the root is the root, which is always there.
fn above(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some((parent, _)) if !parent.is_empty() => parent,
        _ => "/",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn above_every_znode_is_the_root() {
        assert_eq!(above("/capitana/config/proxy"), "/capitana/config");
        assert_eq!([above("/capitana"), above("/")], ["/", "/"]);
    }
}
