//! Owns the network between one agent and ZooKeeper, which can be cut: a forwarder in front of each server.

use std::net::SocketAddr;

use anyhow::Result;

use crate::forwarder::Forwarder;
use crate::slot::Slot;
use crate::zookeeper::ZooKeeper;

/// The first port of an agent's doors, on an address of their own.
const PORT: u16 = 2181;

/// The way of one agent to every ZooKeeper server.
#[derive(Debug)]
pub struct Door {
    address: String,
    forwarders: Vec<Forwarder>,
}

impl Door {
    /// Opens the one of agent `index`.
    pub(crate) async fn open(slot: &Slot, index: usize, zookeepers: &[ZooKeeper]) -> Result<Self> {
        let (mut addresses, mut forwarders) = (Vec::new(), Vec::new());
        for (port, server) in (PORT..).zip(zookeepers) {
            let address = SocketAddr::from((slot.door(index), port));
            forwarders.push(Forwarder::start(address, server.connect_string().parse()?).await?);
            addresses.push(address.to_string());
        }
        Ok(Self { address: addresses.join(","), forwarders })
    }

    /// ZooKeeper's connect string, for this agent.
    pub(crate) fn connect_string(&self) -> &str {
        &self.address
    }

    /// Nothing passes any more.
    pub fn cut(&self) {
        self.forwarders.iter().for_each(Forwarder::cut);
    }

    /// What waited on either side passes.
    pub fn heal(&self) {
        self.forwarders.iter().for_each(Forwarder::heal);
    }
}
