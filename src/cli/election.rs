//! What an operator's command is told about the election, and one reading of it from ZooKeeper.
//! What the reading means is decided in `capitana_core`; how it is printed, by the commands.

use std::future::Future;
use std::time::Duration;

use capitana_core::services::list::Services;
use capitana_core::{AllowList, AllowRule, HostPort, View};
use clap::{ArgMatches, Args};
use tokio::time::timeout;

use super::wait::patiently;
use crate::config::access::zookeeper_access;
use crate::config::common::acl as acl_of;
use crate::config::document::Document;
use crate::config::keys::{self, Kind};
use crate::config::load::FileArg;
use crate::config::settings::{ElectionSettings, Group};
use crate::config::source::{Documents, Source};
use crate::config::value::Text;
use crate::config::words::Period;
use crate::config::{ZooKeeperAccess, ZooKeeperAcl};
use crate::control::coordinator::{Coordinator, CoordinatorError, read_election};
use crate::control::{ZooKeeper, ZooKeeperConnector};
use crate::error::Error;
use crate::live::Store;
use crate::side::read_services;

/// The session asked of ZooKeeper: it is given back at the end, and a reader that is killed costs nobody anything.
pub(super) const SESSION_TIMEOUT: Duration = Duration::from_secs(6);

/// How long an answer that is there may wait for the session's end.
const CLOSE_LIMIT: Duration = Duration::from_millis(200);

/// Which election, and how long to wait for it.
#[derive(Debug, Args)]
pub struct ElectionArgs {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    election: ElectionSettings,
    #[command(flatten)]
    proxy: ProxySide,

    /// How long to wait for an answer
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    timeout: Text<Period>,
}

/// What the proxy has beside the election, by the same names: what holds for it holds here. The environment is what
/// they are for; as flags they are not shown.
#[derive(Debug, Args)]
struct ProxySide {
    /// A fixed primary instead of an election
    #[arg(long, env = "CAPITANA_PRIMARY", value_name = "HOST:PORT", hide = true)]
    primary: Option<Text<HostPort>>,

    /// Members that may be named
    #[arg(long, env = "CAPITANA_ALLOW_UPSTREAMS", value_name = "RULE", value_delimiter = ',', hide = true)]
    allow_upstreams: Vec<Text<AllowRule>>,

    /// Who may do what with znodes that are created
    #[arg(long, env = "CAPITANA_ZOOKEEPER_ACL", value_name = "CHOICE", hide = true)]
    zookeeper_acl: Option<ZooKeeperAcl>,
}

/// Which election, after the settings file has been read.
#[derive(Debug)]
pub(super) struct Known {
    /// Where the primary's name comes from.
    pub(super) from: From,
    /// How long to wait for an answer.
    pub(super) timeout: Duration,
    /// The settings file, and the daemon it is for.
    pub(super) document: Option<(Document, Kind)>,
}

/// Where the primary's name comes from.
#[derive(Debug)]
pub(super) enum From {
    /// The settings name it: there is no election.
    Fixed(HostPort),
    /// ZooKeeper.
    Election(Box<Election>),
}

/// An election in ZooKeeper.
#[derive(Debug)]
pub(super) struct Election {
    /// The connect string.
    pub(super) zookeeper: String,
    /// The znode whose children are the candidates.
    pub(super) path: String,
    /// The znode below which settings are kept; none: nowhere.
    pub(super) config_path: Option<String>,
    /// The znode below which the running processes are.
    pub(super) services_path: String,
    allowed: AllowList,
    access: ZooKeeperAccess,
    acl: ZooKeeperAcl,
}

/// One reading of an election.
#[derive(Debug)]
pub(super) struct Reading {
    /// Whether the election's znode exists.
    pub(super) exists: bool,
    /// The candidates in order.
    pub(super) view: View,
}

/// Everything that is in ZooKeeper for people to see.
pub(super) struct All {
    /// The election.
    pub(super) reading: Reading,
    /// The running processes.
    pub(super) services: Result<Services, String>,
    /// The version of the settings for each kind of daemon; none: there are no settings.
    pub(super) settings: Vec<(Kind, Result<Option<i32>, String>)>,
}

impl ElectionArgs {
    /// Reads the settings file, if there is one, for what neither flags nor the environment have said.
    pub(super) fn known(&self, matches: &ArgMatches) -> Result<Known, Error> {
        let document = match &self.file.config {
            Some(path) => Some(Document::read(path)?),
            None => None,
        };
        let kind = document.as_ref().and_then(Kind::detect).unwrap_or(Kind::Proxy);
        if let Some(document) = &document {
            keys::check(document, kind)?;
        }
        let documents = Documents { file: document, ..Documents::default() };
        let source = Source::new(matches, &documents);
        let mut election = self.election.clone();
        election.fill(&source)?;
        let from = self.proxy.from(&election, &source)?;
        Ok(Known {
            from,
            timeout: self.timeout.value.0,
            document: documents.file.map(|document| (document, kind)),
        })
    }
}

impl ProxySide {
    fn from(&self, election: &ElectionSettings, source: &Source<'_>) -> Result<From, Error> {
        let rules = source.value("allow_upstreams")?.unwrap_or_else(|| self.allow_upstreams.clone());
        let fixed = source.value("primary")?.or_else(|| self.primary.clone());
        // Whoever is told nothing of warnings here is told them by the daemon that has the same settings.
        let access = zookeeper_access(election, source, &mut Vec::new())?;
        let acl = source.value("zookeeper_acl")?.or(self.zookeeper_acl);
        match (&election.zookeeper, fixed) {
            (Some(zookeeper), _) => Ok(From::Election(Box::new(Election {
                acl: acl_of(acl, &access, source)?,
                access,
                zookeeper: zookeeper.value.0.clone(),
                path: election.election_path.value.0.clone(),
                config_path: election.config_path.value.0.clone(),
                services_path: election.services_path.value.0.clone(),
                allowed: AllowList::new(rules.into_iter().map(|rule| rule.value).collect()),
            }))),
            (None, Some(fixed)) => Ok(From::Fixed(fixed.value)),
            (None, None) => Err(source.error(
                "zookeeper",
                "missing: name ZooKeeper's servers with --zookeeper zk1:2181,zk2:2181 or a settings file with \
                 --config",
            )),
        }
    }
}

impl Election {
    /// Reads the election.
    pub(super) async fn read(&self, limit: Duration) -> Result<Reading, Error> {
        self.ask(limit, async |session| self.election(session).await).await
    }

    /// Reads the election, the list of services and the versions of the settings. Where those cannot be read, the error is
    /// in their place.
    pub(super) async fn read_all(&self, limit: Duration) -> Result<All, Error> {
        self.ask(limit, async |session| {
            let reading = self.election(session).await?;
            let services = read_services(session, &self.services_path, None).await;
            let services = services.map(|(raw, _)| Services::read(raw)).map_err(|error| error.to_string());
            Ok(All { reading, services, settings: self.settings(session).await })
        })
        .await
    }

    /// The version of the settings that each kind of daemon should have.
    async fn settings(&self, session: &ZooKeeper) -> Vec<(Kind, Result<Option<i32>, String>)> {
        let mut versions = Vec::new();
        for kind in [Kind::Proxy, Kind::Agent] {
            let Some(path) = &self.config_path else { break };
            let current = Store::new(path, kind).current(session).await;
            let version = current.map(|(current, _)| current.map(|current| current.revision.version));
            versions.push((kind, version.map_err(|error| error.to_string())));
        }
        versions
    }

    /// Reads the list of services, or those of one kind.
    pub(super) async fn services(&self, kind: Option<&str>, limit: Duration) -> Result<Services, Error> {
        self.ask(limit, async |session| {
            let (raw, _) = read_services(session, &self.services_path, kind).await?;
            Ok(Services::read(raw))
        })
        .await
    }

    /// How the ensemble is reached, with a session of this timeout.
    pub(super) fn connector(&self, session_timeout: Duration) -> ZooKeeperConnector {
        ZooKeeperConnector::new(self.zookeeper.clone(), session_timeout)
            .with_access(self.access.clone())
            .with_acl(self.acl)
    }

    /// Does `work` on a session of its own, and says on a terminal what is waited for if it takes long.
    pub(super) async fn ask<T>(
        &self,
        limit: Duration,
        work: impl AsyncFnOnce(&ZooKeeper) -> Result<T, CoordinatorError>,
    ) -> Result<T, Error> {
        let asked = Box::pin(async {
            let session = self.connector(SESSION_TIMEOUT).connect().await?;
            let answer = work(&session).await;
            // The ensemble is not left with a session that must expire.
            let _ = timeout(CLOSE_LIMIT, session.close()).await;
            answer
        });
        let waiting_for = format!("ZooKeeper at {}", self.zookeeper);
        let answer: Result<T, CoordinatorError> =
            patiently(&waiting_for, limit, self.within(limit, asked)).await?;
        answer.map_err(|error| self.error(format!("{}: {}", error.what, error.cause)))
    }

    async fn election(&self, session: &ZooKeeper) -> Result<Reading, CoordinatorError> {
        session.sync(&self.path).await?;
        let (raw, _) = read_election(session, &self.path).await?;
        Ok(Reading { exists: raw.exists, view: View::read(&raw, &self.allowed) })
    }

    async fn within<T>(&self, limit: Duration, answer: impl Future<Output = T>) -> Result<T, Error> {
        timeout(limit, answer).await.map_err(|_| {
            let limit = humantime::format_duration(limit);
            self.error(format!(
                "no answer within {limit}; is it running, and can this host reach it? (--timeout waits longer)"
            ))
        })
    }

    fn error(&self, problem: String) -> Error {
        Error::ZooKeeper { ensemble: self.zookeeper.clone(), problem }
    }
}
