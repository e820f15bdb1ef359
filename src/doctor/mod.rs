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

use crate::config::keys::Kind;
use crate::config::{AgentConfig, CommonConfig, FenceMode, MonitorAccount, ProxyConfig, Secret};

/// The settings of one daemon, and what they are called in findings.
#[derive(Debug)]
pub struct Settings<C> {
    /// The settings file, or where else they come from.
    pub name: String,
    /// The settings.
    pub config: C,
    /// What was said of them when they were loaded.
    pub warnings: Vec<String>,
}

/// What is to be looked at.
#[derive(Debug, Default)]
pub struct Subjects {
    /// An agent and its server.
    pub agent: Option<Settings<AgentConfig>>,
    /// A proxy.
    pub proxy: Option<Settings<ProxyConfig>>,
    /// An election, where there is neither: nothing but ZooKeeper is known.
    pub election: Option<CommonConfig>,
}

/// Looks at everything, and answers what was found, the worst first. Each of the two rounds (ZooKeeper and the agent's
/// server at once; then the proxy's account on the primary) takes `limit` at most.
pub async fn examine(subjects: &Subjects, limit: Duration) -> Vec<Finding> {
    let mut findings = settings::examine(subjects);
    findings.extend(host::examine(subjects));
    let (election, (server, checked)) =
        tokio::join!(at_election(subjects, limit), at_server(subjects, limit));
    findings.extend(election.findings);
    findings.extend(server);
    findings.extend(at_primary(subjects, election.primary, checked, limit).await);
    findings.sort_by(|a, b| b.kind.severity.cmp(&a.kind.severity).then(a.kind.code.cmp(b.kind.code)));
    findings
}

impl Subjects {
    fn common(&self) -> Option<&CommonConfig> {
        let agent = self.agent.as_ref().map(|agent| &agent.config.common);
        agent.or(self.proxy.as_ref().map(|proxy| &proxy.config.common)).or(self.election.as_ref())
    }

    /// The znodes of the settings for all agents and all proxies, as far as daemons look at them. Of a kind whose own
    /// settings are not given they are where those of the other kind are.
    fn settings(&self) -> Vec<String> {
        let proxy = self.proxy.as_ref().map(|proxy| &proxy.config.common).or(self.common());
        let kinds = [(self.common(), Kind::Agent), (proxy, Kind::Proxy)];
        let store = |(common, kind): (Option<&CommonConfig>, Kind)| common?.store(kind);
        kinds.into_iter().filter_map(store).map(|store| store.path().to_owned()).collect()
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
        };
    };
    let any = AllowList::default();
    let allowed = subjects.proxy.as_ref().map_or(&any, |proxy| &proxy.config.allow_upstreams);
    let fence = |agent: &AgentConfig| agent.fence != FenceMode::Off && agent.fence_quorum;
    let asks_peers = subjects.agent.as_ref().is_some_and(|agent| fence(&agent.config));
    let settings = subjects.settings();
    election::Look { common, zookeeper, allowed, asks_peers, settings }.look(limit).await
}

/// Also answers whether the server's own settings have been looked at.
async fn at_server(subjects: &Subjects, limit: Duration) -> (Vec<Finding>, bool) {
    let Some(agent) = &subjects.agent else {
        let can_try_monitor = subjects.monitor().is_some();
        let found = "no agent's settings are given";
        let unseen = (!can_try_monitor).then(|| reach::SERVER_NOT_CHECKED.at("MariaDB", found));
        return (unseen.into_iter().collect(), false);
    };
    (server::Login::of_agent(&agent.config).examine(subjects.sessions(), true, limit).await, true)
}

/// The proxy's account, tried where the proxy would use it.
async fn at_primary(
    subjects: &Subjects,
    primary: Option<HostPort>,
    checked: bool,
    limit: Duration,
) -> Vec<Finding> {
    let Some(monitor) = subjects.monitor() else { return Vec::new() };
    let Some(primary) = primary else {
        return vec![reach::MONITOR_NOT_CHECKED.at("MariaDB", "there is no primary to try monitor-user on")];
    };
    server::Login::of_monitor(monitor, &primary).examine(subjects.sessions(), !checked, limit).await
}
