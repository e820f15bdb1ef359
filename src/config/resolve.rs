//! What the settings mean together: checks across settings, and defaults that depend on others or on this machine.
//! What one value may be is checked where it is read, in `words`.

use capitana_core::replicas::Rules;
use capitana_core::{AllowList, HostPort};

use super::choices::Sql;
use super::common;
use super::keys::Kind;
use super::load::Daemon;
use super::password;
use super::settings::{AgentSettings, ProxySettings};
use super::source::Source;
use super::value::Text;
use super::words::Advertised;
use super::{
    AgentConfig, CommonConfig, FenceMode, GaleraMode, InitSql, MonitorAccount, ProxyConfig, ReplicaFallback,
    ServerAddress,
};
use crate::error::Error;

/// More relay threads than this are taken for a mistake.
const MOST_THREADS: usize = 1024;
/// More clients than this are taken for a mistake: no process has the descriptors, and a semaphore has a limit of its own.
const MOST_CLIENTS: usize = 10_000_000;

impl Daemon for ProxySettings {
    type Config = ProxyConfig;
    const KIND: Kind = Kind::Proxy;

    fn common(config: &ProxyConfig) -> &CommonConfig {
        &config.common
    }

    fn resolve(
        &mut self,
        common: CommonConfig,
        source: &Source<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<ProxyConfig, Error> {
        one_way_to_the_primary(&common, self.primary.is_some(), source)?;
        self.leads_elsewhere(source)?;
        let rules = self.allow_upstreams.iter().map(|rule| rule.value.clone()).collect();
        let listeners = self.listeners(common.admin_listen, source, warnings)?;
        Ok(ProxyConfig {
            listen: listeners.primary,
            replica_listen: listeners.replica,
            replica_rules: Rules {
                max_lag: self.max_lag.as_ref().map(|text| text.value as u64),
                fallback: self.replica_fallback == ReplicaFallback::Primary,
            },
            init_sql: self.init_sql(),
            primary: self.primary.as_ref().map(|text| text.value.clone()),
            allow_upstreams: AllowList::new(rules),
            hold_timeout: self.hold_timeout.value.0,
            max_held: at_most(MOST_CLIENTS, "max_held", self.max_held.value, source)?,
            max_connections: match &self.max_connections {
                Some(text) => Some(at_most(MOST_CLIENTS, "max_connections", text.value.get(), source)?),
                None => None,
            },
            dial_timeout: self.dial_timeout.value.0,
            handshake_timeout: self.handshake_timeout.value.0,
            shutdown_timeout: self.shutdown_timeout.value,
            max_connections_per_client: self.max_connections_per_client.as_ref().map(|text| text.value.get()),
            max_upstream_connections: self.max_upstream_connections.as_ref().map(|text| text.value.get()),
            dial_rate: self.dial_rate.value.get(),
            dial_concurrency: self.dial_concurrency.value.get(),
            drain_timeout: self.drain_timeout.value,
            monitor: self.monitor(source, warnings)?,
            barrier_timeout: self.barrier_timeout.value.0,
            barrier_fallback: self.barrier_fallback,
            proxy_protocol: self.proxy_protocol,
            accept_proxy_protocol: self.accept_proxy_protocol.iter().map(|rule| rule.value.clone()).collect(),
            source_addresses: self.source_addresses.iter().map(|address| address.value).collect(),
            stall_timeout: self.stall_timeout.as_ref().map(|text| text.value.0),
            threads: self.threads(source)?,
            common,
        })
    }
}

fn one_way_to_the_primary(common: &CommonConfig, fixed: bool, source: &Source<'_>) -> Result<(), Error> {
    match (&common.zookeeper, fixed) {
        (None, false) => Err(source.error(
            "zookeeper",
            "missing: name ZooKeeper's servers (--zookeeper zk1:2181,zk2:2181) or a fixed primary \
             (--primary 127.0.0.1:3306), on the command line or in the settings file",
        )),
        (Some(_), true) => Err(source.error(
            "primary",
            format!(
                "a fixed primary takes the place of the election, but {} is set too: keep one",
                source.origin("zookeeper")
            ),
        )),
        _ => Ok(()),
    }
}

impl ProxySettings {
    fn monitor(
        &self,
        source: &Source<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<MonitorAccount>, Error> {
        let named = self.monitor_password_file.as_ref();
        let password = password::secret("monitor_password_file", named, source, warnings)?;
        let user = self.monitor_user.as_ref().map(|text| text.value.0.clone());
        Ok(user.map(|user| MonitorAccount { user, password }))
    }

    fn init_sql(&self) -> InitSql {
        let statement = |text: &Option<Text<Sql>>| text.as_ref().map(|text| text.value.0.clone());
        InitSql {
            primary: statement(&self.init_sql),
            replica: statement(&self.replica_init_sql),
            encrypted: self.init_sql_encrypted,
        }
    }

    fn threads(&self, source: &Source<'_>) -> Result<Option<usize>, Error> {
        let threads = self.threads.as_ref().map(|text| text.value.get());
        threads.map(|threads| at_most(MOST_THREADS, "threads", threads, source)).transpose()
    }
}

fn at_most(most: usize, id: &'static str, found: usize, source: &Source<'_>) -> Result<usize, Error> {
    if found > most {
        return Err(source.error(id, format!("expected at most {most}, found {found}")));
    }
    Ok(found)
}

impl Daemon for AgentSettings {
    type Config = AgentConfig;
    const KIND: Kind = Kind::Agent;

    fn common(config: &AgentConfig) -> &CommonConfig {
        &config.common
    }

    fn resolve(
        &mut self,
        common: CommonConfig,
        source: &Source<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<AgentConfig, Error> {
        if common.zookeeper.is_none() {
            let problem = "missing: name ZooKeeper's servers (--zookeeper zk1:2181,zk2:2181)";
            return Err(source.error("zookeeper", problem));
        }
        Ok(AgentConfig {
            advertise: self.advertised(&common::host_name(), source, warnings)?,
            server: self.server.value.clone(),
            user: self.user.value.0.clone(),
            password: password::secret("password_file", self.password_file.as_ref(), source, warnings)?,
            poll_interval: self.poll_interval.value.0,
            check_timeout: self.check_timeout.value.0,
            fall: self.fall.value.get(),
            rise: self.rise.value.get(),
            available_when_donor: self.available_when_donor,
            galera: self.galera,
            canary: self.canary,
            fence: self.fence(source)?,
            fence_quorum: self.fence_quorum,
            state_directory: self.state_directory.clone(),
            priority: self.priority,
            rejoin_delay: self.rejoin_delay.value,
            weight: self.weight.value,
            common,
        })
    }
}

impl AgentSettings {
    /// A server without Galera knows nothing of `wsrep_reject_queries`.
    fn fence(&self, source: &Source<'_>) -> Result<FenceMode, Error> {
        match (self.fence, self.galera) {
            (FenceMode::Reject, GaleraMode::Off) => Err(source.error(
                "fence",
                "only a Galera node can reject queries, and galera is \"off\": choose \"read-only\"",
            )),
            (fence, _) => Ok(fence),
        }
    }

    fn advertised(
        &mut self,
        host: &str,
        source: &Source<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<HostPort, Error> {
        let port = match &self.server.value {
            ServerAddress::Tcp(server) => server.port(),
            ServerAddress::Unix(_) => capitana_core::DEFAULT_PORT,
        };
        let address = match &self.advertise {
            Some(text) => text.value.or_port(port),
            None => HostPort::new(host, port),
        };
        let address = address.map_err(|error| {
            let problem =
                format!("this host's name cannot be used ({error}): say what the proxies connect to");
            source.error("advertise", problem)
        })?;
        if self.advertise.is_none() && address.host().starts_with("localhost") {
            let origin = source.origin("advertise");
            warnings.push(format!("{origin}: proxies on other hosts cannot reach {address}: set it"));
        }
        self.advertise = Some(Text::of(Advertised { address: address.clone(), has_port: true }));
        Ok(address)
    }
}
