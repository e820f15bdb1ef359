//! Looks at the ensemble and at the election in it: a session as a daemon would open it, the znodes, their ACLs, and what
//! each server says of itself. Changes nothing.

use std::time::Duration;

use capitana_core::doctor::acl::{self, Acl};
use capitana_core::doctor::ensemble::Ensemble;
use capitana_core::doctor::words::Words;
use capitana_core::doctor::{Finding, members, reach};
use capitana_core::{AllowList, HostPort, RawView, View};
use tokio::time::timeout;

use super::config::{self, Stored};
use super::words;
use crate::config::CommonConfig;
use crate::config::keys::Kind;
use crate::control::coordinator::{Coordinator, CoordinatorError, Outcome, read_election};
use crate::control::{ZooKeeper, ZooKeeperConnector};
use crate::live::Store;

/// More candidates than this are not looked at one by one.
const MOST_MEMBERS: usize = 100;
/// How long an answer that is there may wait for the session's end.
const CLOSE_LIMIT: Duration = Duration::from_millis(200);

/// What is looked at.
pub(super) struct Look<'a> {
    pub(super) common: &'a CommonConfig,
    /// The connect string.
    pub(super) zookeeper: &'a str,
    pub(super) allowed: &'a AllowList,
    /// Where the settings for all daemons are, as far as those are looked at.
    pub(super) stores: Vec<(Kind, Store)>,
}

/// What was seen.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) findings: Vec<Finding>,
    /// Who is elected.
    pub(super) primary: Option<HostPort>,
    /// What is wrong where agents ask one another before they fence.
    pub(super) peers: Option<Finding>,
    /// The settings for all daemons.
    pub(super) settings: Vec<Stored>,
}

/// What a session showed.
struct Inside {
    granted: Duration,
    raw: RawView,
    election: Option<Result<Acl, CoordinatorError>>,
    parents: Vec<Acl>,
    members: Vec<Acl>,
    settings: Vec<Stored>,
}

impl Look<'_> {
    /// Looks for `limit` at most.
    pub(super) async fn look(&self, limit: Duration) -> Seen {
        let addresses = words::addresses(self.zookeeper);
        let listed = addresses.len();
        let asked = if self.is_tls() { Vec::new() } else { addresses };
        let (inside, servers) = tokio::join!(timeout(limit, self.inside()), words::ask(asked, limit));
        let inside = match inside {
            Ok(Ok(inside)) => inside,
            Ok(Err(error)) => return self.nothing(self.refused(&error)),
            Err(_) => return self.nothing(self.no_answer(limit, &servers)),
        };
        let ensemble = self.ensemble(inside.granted, servers, listed);
        let view = View::read(&inside.raw, self.allowed);
        let mut findings = ensemble.examine();
        findings.extend(self.election(&inside));
        let places: Vec<_> = inside.settings.iter().filter_map(|stored| stored.place.clone()).collect();
        findings.extend(acl::examine_config(config::SUBJECT, &places));
        let primary = view.members.first().map(|first| first.upstream.clone());
        let peers = members::peers(&self.election_subject(), &inside.raw);
        Seen { findings, primary, peers, settings: inside.settings }
    }

    fn subject(&self) -> String {
        format!("ZooKeeper {}", self.zookeeper)
    }

    fn election_subject(&self) -> String {
        format!("election {}", self.common.election_path)
    }

    fn is_tls(&self) -> bool {
        self.common.zookeeper_access.tls.is_some()
    }

    fn connector(&self) -> ZooKeeperConnector {
        ZooKeeperConnector::new(self.zookeeper.to_owned(), self.common.zookeeper_session_timeout)
            .with_access(self.common.zookeeper_access.clone())
    }

    async fn inside(&self) -> Result<Inside, CoordinatorError> {
        let path = &self.common.election_path;
        let session = self.connector().connect().await?;
        session.sync(path).await?;
        let (raw, watch) = read_election(&session, path).await?;
        let election = if raw.exists { Some(acl_of(&session, path).await) } else { None };
        let mut inside = Inside {
            granted: session.session_timeout(),
            parents: acls(&session, parents(path)).await,
            members: acls(&session, children(path, &raw)).await,
            settings: config::read(&session, &self.stores).await,
            raw,
            election,
        };
        // Without rights to the election's znode the candidates' ACLs say little: one finding is enough.
        if matches!(inside.election, Some(Err(_))) {
            inside.members.clear();
        }
        // A watch also completes when its session is over: the ensemble is not left with one that must expire.
        drop(session);
        let _ = timeout(CLOSE_LIMIT, watch).await;
        Ok(inside)
    }

    fn ensemble(&self, granted: Duration, servers: Vec<Words>, listed: usize) -> Ensemble {
        Ensemble {
            subject: self.subject(),
            asked: self.common.zookeeper_session_timeout,
            granted: Some(granted),
            tls: self.is_tls(),
            named: self.common.zookeeper_access.is_named(),
            servers,
            listed,
        }
    }

    fn election(&self, inside: &Inside) -> Vec<Finding> {
        let subject = self.election_subject();
        let mut findings = members::examine(&subject, &inside.raw, self.allowed);
        match &inside.election {
            Some(Ok(acl)) => findings.extend(acl::examine(&subject, acl, &inside.parents, &inside.members)),
            Some(Err(error)) => findings.push(reach::ACL_UNSEEN.at(&subject, &error.cause)),
            None => {}
        }
        findings
    }

    fn nothing(&self, finding: Finding) -> Seen {
        Seen { findings: vec![finding], ..Seen::default() }
    }

    fn refused(&self, error: &CoordinatorError) -> Finding {
        let kind = match error.outcome {
            Outcome::Denied => reach::ZOOKEEPER_REFUSED,
            _ => reach::ZOOKEEPER_UNREACHABLE,
        };
        kind.at(&self.subject(), format!("{}: {}", error.what, error.cause))
    }

    fn no_answer(&self, limit: Duration, servers: &[Words]) -> Finding {
        let states: Vec<_> = servers.iter().map(Words::state).collect();
        let servers = if states.is_empty() { String::new() } else { format!(" ({})", states.join("; ")) };
        let found = format!("no session within {limit:?}{servers}");
        reach::ZOOKEEPER_UNREACHABLE.at(&self.subject(), found)
    }
}

/// The znodes above `path`, without the root.
fn parents(path: &str) -> Vec<String> {
    path.match_indices('/').map(|(at, _)| path[..at].to_owned()).filter(|parent| !parent.is_empty()).collect()
}

fn children(path: &str, raw: &RawView) -> Vec<String> {
    raw.members.iter().take(MOST_MEMBERS).map(|child| format!("{path}/{}", child.name)).collect()
}

/// The ACLs of those that exist and may be read.
async fn acls(session: &ZooKeeper, paths: Vec<String>) -> Vec<Acl> {
    let mut acls = Vec::new();
    for path in paths {
        acls.extend(acl_of(session, &path).await.ok());
    }
    acls
}

/// The ACL of a znode, by its path.
pub(super) async fn acl_of(session: &ZooKeeper, path: &str) -> Result<Acl, CoordinatorError> {
    session.acl(path).await.map(|entries| Acl { path: path.to_owned(), entries })
}
