//! Looks at the settings for all daemons in ZooKeeper: who may change them. Changes nothing.

use capitana_core::doctor::acl::Place;

use super::election::acl_of;
use crate::control::ZooKeeper;
use crate::control::coordinator::{Coordinator, CoordinatorError};

/// What they are called in findings.
pub(super) const SUBJECT: &str = "settings in ZooKeeper";

/// Who may change what these znodes say. One that may not be read is left out: it is not everybody's.
pub(super) async fn places(session: &ZooKeeper, paths: &[String]) -> Vec<Place> {
    let mut places = Vec::new();
    for path in paths {
        places.extend(place(session, path).await.ok());
    }
    places
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
