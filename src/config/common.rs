//! What the settings that every daemon has come to: defaults that depend on others or on this machine. Those of one daemon
//! alone are in `resolve`.

use std::net::{Ipv4Addr, SocketAddr};

use capitana_core::HostPort;

use super::keys::Kind;
use super::settings::{DaemonSettings, ElectionSettings};
use super::source::Source;
use super::value::Text;
use super::words::Name;
use super::{CommonConfig, ZooKeeperAccess, ZooKeeperAcl};
use crate::error::Error;

/// What both daemons read.
pub(super) fn resolve(
    election: &ElectionSettings,
    daemon: &mut DaemonSettings,
    zookeeper_access: ZooKeeperAccess,
    kind: Kind,
    source: &Source<'_>,
) -> Result<CommonConfig, Error> {
    if daemon.admin_listen.is_none() {
        daemon.admin_listen = kind.admin_listen().map(Text::of);
    }
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let admin_listen = daemon.admin_listen.as_ref().map_or(nowhere, |text| text.value);
    let node_name = daemon.node_name.get_or_insert_with(|| Text::of(Name(host_name())));
    Ok(CommonConfig {
        zookeeper: election.zookeeper.as_ref().map(|text| text.value.0.clone()),
        zookeeper_acl: acl(daemon.zookeeper_acl, &zookeeper_access, source)?,
        zookeeper_access,
        zookeeper_session_timeout: daemon.zookeeper_session_timeout.value.0,
        election_path: election.election_path.value.0.clone(),
        config_path: election.config_path.value.0.clone(),
        services_path: election.services_path.value.0.clone(),
        node_name: node_name.value.0.clone(),
        admin_listen,
        admin_advertise: admin_advertised(&mut daemon.admin_advertise, admin_listen),
        log_format: daemon.log_format,
        log_level: daemon.log_level.value.0.clone(),
    })
}

/// This host's name, as the kernel has it.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// A loopback address, or every address, says nothing to other hosts.
fn admin_advertised(named: &mut Option<Text<HostPort>>, listen: SocketAddr) -> Option<HostPort> {
    if named.is_none() && !listen.ip().is_unspecified() && !listen.ip().is_loopback() {
        *named = HostPort::new(&listen.ip().to_string(), listen.port()).ok().map(Text::of);
    }
    named.as_ref().map(|text| text.value.clone())
}

/// With nobody's name, "the creator" is nobody.
pub(crate) fn acl(
    named: Option<ZooKeeperAcl>,
    access: &ZooKeeperAccess,
    source: &Source<'_>,
) -> Result<ZooKeeperAcl, Error> {
    match (named, access.is_named()) {
        (None | Some(ZooKeeperAcl::Open), false) => Ok(ZooKeeperAcl::Open),
        (None, true) => Ok(ZooKeeperAcl::CreatorAndRead),
        (Some(acl), true) => Ok(acl),
        (Some(_), false) => Err(source.error(
            "zookeeper_acl",
            "a creator needs a name: give zookeeper-auth-file as well, or choose \"open\"",
        )),
    }
}
