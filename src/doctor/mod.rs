//! What `capitana doctor` looks at: gathers facts about ZooKeeper, MariaDB, this host and the settings, and has
//! `capitana_core::doctor` judge them. What cannot be looked at becomes a finding too. Printing is the command's.

mod config;
mod election;
mod host;
mod server;
mod settings;
mod words;

use std::path::PathBuf;
use std::time::Duration;

use capitana_core::doctor::{Finding, reach};
use capitana_core::{AllowList, HostPort};
use clap::ArgMatches;

use crate::config::document::Document;
use crate::config::keys::Kind;
use crate::config::load::{Daemon, Loaded, put_together, read_file};
use crate::config::settings::{AgentSettings, ProxySettings};
use crate::config::source::Documents;
use crate::config::{AgentConfig, CommonConfig, FenceMode, MonitorAccount, Secret};
use crate::error::Error;
use crate::live::Store;
use config::Stored;

/// The settings of one daemon, and what they are called in findings.
#[derive(Debug)]
pub struct Settings<D: Daemon> {
    /// The settings file, or where else they come from.
    pub name: String,
    /// The settings.
    pub config: D::Config,
    /// What was said of them when they were loaded.
    pub warnings: Vec<String>,
    matches: ArgMatches,
    file: Option<Document>,
}

impl<D: Daemon> Settings<D> {
    /// Loads them as the daemon would with this command line.
    ///
    /// # Errors
    /// The first setting that cannot be used, or a file that cannot be read.
    pub fn load(name: String, matches: ArgMatches) -> Result<Self, Error> {
        let file = read_file::<D>(&matches)?;
        let documents = Documents { file: file.clone(), zookeeper: None };
        let Loaded { config, warnings, .. } = put_together::<D>(&matches, &documents, None)?.loaded;
        Ok(Self { name, config, warnings, matches, file })
    }

    /// What they would be with these in ZooKeeper.
    fn with(&self, zookeeper: Document) -> Result<Loaded<D::Config>, Error> {
        let documents = Documents { file: self.file.clone(), zookeeper: Some(zookeeper) };
        Ok(put_together::<D>(&self.matches, &documents, None)?.loaded)
    }
}

/// What is to be looked at.
#[derive(Debug, Default)]
pub struct Subjects {
    /// An agent and its server.
    pub agent: Option<Settings<AgentSettings>>,
    /// A proxy.
    pub proxy: Option<Settings<ProxySettings>>,
    /// An election, where there is neither: nothing but ZooKeeper is known.
    pub election: Option<CommonConfig>,
}

/// Looks at everything, and answers what was found, the worst first. Each of the two rounds (ZooKeeper, which has a say in
/// the daemons' settings; then the agent's server, and the proxy's account on the primary) takes `limit` at most.
pub async fn examine(mut subjects: Subjects, limit: Duration) -> Vec<Finding> {
    let election = at_election(&subjects, limit).await;
    let mut findings = subjects.take_over(&election.settings);
    findings.extend(settings::examine(&subjects));
    findings.extend(host::examine(&subjects));
    findings.extend(election.findings);
    findings.extend(election.peers.filter(|_| subjects.asks_peers()));
    let (server, monitor) =
        tokio::join!(at_server(&subjects, limit), at_primary(&subjects, election.primary, limit));
    findings.extend(server);
    findings.extend(monitor);
    findings.sort_by(|a, b| b.kind.severity.cmp(&a.kind.severity).then(a.kind.code.cmp(b.kind.code)));
    findings
}

impl Subjects {
    fn common(&self) -> Option<&CommonConfig> {
        let agent = self.agent.as_ref().map(|agent| &agent.config.common);
        agent.or(self.proxy.as_ref().map(|proxy| &proxy.config.common)).or(self.election.as_ref())
    }

    /// Where the settings for all agents and all proxies are, as far as daemons look at them. Of a kind whose own settings
    /// are not given they are where those of the other kind are.
    fn stores(&self) -> Vec<(Kind, Store)> {
        let proxy = self.proxy.as_ref().map(|proxy| &proxy.config.common).or(self.common());
        let kinds = [(self.common(), Kind::Agent), (proxy, Kind::Proxy)];
        let store = |(common, kind): (Option<&CommonConfig>, Kind)| Some((kind, common?.store(kind)?));
        kinds.into_iter().filter_map(store).collect()
    }

    fn take_over(&mut self, stored: &[Stored]) -> Vec<Finding> {
        let agent = self.agent.as_mut().and_then(|agent| config::take_over(agent, stored));
        let proxy = self.proxy.as_mut().and_then(|proxy| config::take_over(proxy, stored));
        agent.into_iter().chain(proxy).collect()
    }

    /// Whether the agent asks others before it fences.
    fn asks_peers(&self) -> bool {
        let asks = |agent: &AgentConfig| agent.fence != FenceMode::Off && agent.fence_quorum;
        self.agent.as_ref().is_some_and(|agent| asks(&agent.config))
    }

    fn monitor(&self) -> Option<&MonitorAccount> {
        self.proxy.as_ref()?.config.monitor.as_ref()
    }

    /// The most sessions the proxy gives a server.
    fn sessions(&self) -> Option<u64> {
        self.proxy.as_ref()?.config.max_upstream_connections.and_then(|most| u64::try_from(most).ok())
    }

    /// The files with secrets that the settings name.
    fn secrets(&self) -> Vec<&PathBuf> {
        let commons = [
            self.agent.as_ref().map(|agent| &agent.config.common),
            self.proxy.as_ref().map(|proxy| &proxy.config.common),
            self.election.as_ref(),
        ];
        let access = commons.into_iter().flatten().map(|common| &common.zookeeper_access);
        let mut files = Vec::new();
        for access in access {
            let key = access.tls.as_ref().and_then(|tls| tls.identity.as_ref()).map(|(_, key)| key);
            files.extend(access.auth.as_ref().and_then(file).into_iter().chain(key));
        }
        files.extend(self.agent.as_ref().and_then(|agent| file(agent.config.password.as_ref()?)));
        files.extend(self.monitor().and_then(|monitor| file(monitor.password.as_ref()?)));
        files.sort();
        files.dedup();
        files
    }
}

/// The file that holds a secret, if it is in one.
fn file(secret: &Secret) -> Option<&PathBuf> {
    match secret {
        Secret::File(path) => Some(path),
        Secret::Environment { .. } => None,
    }
}

async fn at_election(subjects: &Subjects, limit: Duration) -> election::Seen {
    let Some(common) = subjects.common() else { return election::Seen::default() };
    let Some(zookeeper) = &common.zookeeper else {
        let primary = subjects.proxy.as_ref().and_then(|proxy| proxy.config.primary.clone());
        let found = "the primary is fixed by the setting `primary`";
        return election::Seen {
            findings: vec![reach::ZOOKEEPER_NOT_CHECKED.at("ZooKeeper", found)],
            primary,
            ..election::Seen::default()
        };
    };
    let any = AllowList::default();
    let allowed = subjects.proxy.as_ref().map_or(&any, |proxy| &proxy.config.allow_upstreams);
    election::Look { common, zookeeper, allowed, stores: subjects.stores() }.look(limit).await
}

async fn at_server(subjects: &Subjects, limit: Duration) -> Vec<Finding> {
    let Some(agent) = &subjects.agent else {
        let can_try_monitor = subjects.monitor().is_some();
        let found = "no agent's settings are given";
        let unseen = (!can_try_monitor).then(|| reach::SERVER_NOT_CHECKED.at("MariaDB", found));
        return unseen.into_iter().collect();
    };
    server::Login::of_agent(&agent.config).examine(subjects.sessions(), true, limit).await
}

/// The proxy's account, tried where the proxy would use it. The server itself is looked at where no agent's is.
async fn at_primary(subjects: &Subjects, primary: Option<HostPort>, limit: Duration) -> Vec<Finding> {
    let Some(monitor) = subjects.monitor() else { return Vec::new() };
    let Some(primary) = primary else {
        return vec![reach::MONITOR_NOT_CHECKED.at("MariaDB", "there is no primary to try monitor-user on")];
    };
    server::Login::of_monitor(monitor, &primary)
        .examine(subjects.sessions(), subjects.agent.is_none(), limit)
        .await
}
