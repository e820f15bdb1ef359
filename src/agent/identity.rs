//! Puts together who this agent is to the others: its znode's data from the settings, its GUID and incarnation from the
//! state directory, the way to ZooKeeper, which begins with an earlier agent's session, and what that agent has learnt.

use capitana_core::MemberData;

use super::connect::Remembering;
use super::learning::Learning;
use super::requests::Member;
use super::state::{self, Host, Place};
use crate::config::AgentConfig;
use crate::control::ZooKeeperConnector;
use crate::error::{Error, Origin};

/// Takes the state directory, and answers what the registrar needs.
///
/// # Errors
/// Another agent has the directory, or ZooKeeper is not named.
pub(super) async fn take(config: &AgentConfig) -> Result<(Member, Remembering, Learning), Error> {
    let connector = connector(config)?;
    let place = Place {
        zookeeper: connector.servers.clone(),
        election_path: config.common.election_path.clone(),
        member: data(config),
    };
    let host = Host::here(&config.common.node_name);
    let (state, identity) = state::open(&config.state_directory, host, place.clone()).await?;
    let member = Member {
        election_path: place.election_path,
        guid: identity.guid,
        sessions: Vec::new(),
        data: MemberData { incarnation: identity.incarnation, ..place.member },
    };
    let learning = Learning::new(state.clone(), identity.learnt);
    Ok((member, Remembering::new(connector, state, identity.session), learning))
}

fn connector(config: &AgentConfig) -> Result<ZooKeeperConnector, Error> {
    ZooKeeperConnector::of(&config.common).ok_or_else(|| Error::Setting {
        origin: Origin::Unset("zookeeper".to_owned()),
        problem: "an agent needs ZooKeeper: give host:port[,host:port...][/chroot]".to_owned(),
    })
}

fn data(config: &AgentConfig) -> MemberData {
    MemberData {
        host: config.advertise.host().to_owned(),
        port: config.advertise.port(),
        guid: None,
        node: Some(config.common.node_name.clone()),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        since_ms: None,
        weight: Some(config.weight),
        admin: config.common.admin_advertise.as_ref().map(ToString::to_string),
        incarnation: None,
        lag: None,
    }
}
