//! What the daemons' settings say of themselves, as `capitana_core::doctor::settings` wants it, and what the agent's
//! account is needed for.

use std::net::SocketAddr;

use capitana_core::AllowList;
use capitana_core::doctor::Finding;
use capitana_core::doctor::account::Purpose;
use capitana_core::doctor::settings::{self, Admin, Agent, Proxy};

use super::{Settings, Subjects};
use crate::config::load::Daemon;
use crate::config::settings::{AgentSettings, ProxySettings};
use crate::config::{AgentConfig, FenceMode};

/// What speaks against the settings.
pub(super) fn examine(subjects: &Subjects) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(agent) = &subjects.agent {
        findings.extend(agent_facts(agent).examine());
        findings.extend(odd(agent, subjects));
    }
    if let Some(proxy) = &subjects.proxy {
        findings.extend(proxy_facts(proxy).examine());
        findings.extend(odd(proxy, subjects));
    }
    findings.extend(differ(subjects));
    findings
}

/// What was said of settings when they were loaded. Files that everybody can read are a finding of their own.
fn odd<D: Daemon>(settings: &Settings<D>, subjects: &Subjects) -> Vec<Finding> {
    let secrets: Vec<_> = subjects.secrets().iter().map(|path| path.display().to_string()).collect();
    let other = |warning: &&String| !secrets.iter().any(|path| warning.contains(path));
    let odd = settings.warnings.iter().filter(other);
    odd.map(|warning| settings::ODD.at(&settings.name, warning.as_str())).collect()
}

fn differ(subjects: &Subjects) -> Option<Finding> {
    let (agent, proxy) = (subjects.agent.as_ref()?, subjects.proxy.as_ref()?);
    let (ours, theirs) = (&agent.config.common, &proxy.config.common);
    let place = |common: &crate::config::CommonConfig| {
        format!("{} {}", common.zookeeper.as_deref().unwrap_or("no ZooKeeper"), common.election_path)
    };
    let found = format!("{} looks at {}, {} at {}", agent.name, place(ours), proxy.name, place(theirs));
    (place(ours) != place(theirs)).then(|| settings::DIFFER.at(&proxy.name, found))
}

fn agent_facts(agent: &Settings<AgentSettings>) -> Agent {
    let config = &agent.config;
    Agent {
        subject: agent.name.clone(),
        admin: admin(config.common.admin_listen),
        fences: config.fence != FenceMode::Off,
        asks_others: config.fence_quorum,
        is_advertised: config.common.admin_advertise.is_some(),
        canary: config.canary,
    }
}

fn proxy_facts(proxy: &Settings<ProxySettings>) -> Proxy {
    let config = &proxy.config;
    Proxy {
        subject: proxy.name.clone(),
        admin: admin(config.common.admin_listen),
        follows: config.primary.is_none(),
        has_monitor: config.monitor.is_some(),
        allows_any: config.allow_upstreams == AllowList::default(),
        hold: config.hold_timeout,
        session: config.common.zookeeper_session_timeout,
    }
}

fn admin(listen: SocketAddr) -> Admin {
    match listen.ip() {
        ip if ip.is_loopback() => Admin::Loopback,
        ip if ip.is_unspecified() => Admin::Everywhere,
        _ => Admin::One,
    }
}

/// What the agent does with its account.
pub(super) fn purpose(config: &AgentConfig) -> Purpose {
    Purpose::Checks { canary: config.canary, fence: config.fence.means() }
}
