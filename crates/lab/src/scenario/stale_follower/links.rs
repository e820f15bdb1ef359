//! Owns the network between the first ZooKeeper server and the others, which can be cut: forwarders that stand for the
//! others in the first one's configuration. A follower joins its leader, so that nothing has to pass the other way.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};

use crate::forwarder::Forwarder;
use crate::lab::Lab;

/// The ports of followers and of elections, on each server's own address.
const PEER_PORTS: [u16; 2] = [2888, 3888];

pub(super) struct Links(Vec<Forwarder>);

impl Links {
    /// Has the first server reach the others through forwarders.
    pub(super) async fn lay(lab: &Lab) -> Result<Self> {
        let server = lab.zookeepers().first().context("no ZooKeeper server")?;
        let path = server.directory().join("zoo.cfg");
        let mut settings = fs::read_to_string(&path)?;
        let mut forwarders = Vec::new();
        for peer in 1..lab.zookeepers().len() {
            let (there, here) = (lab.slot().zookeeper(peer), lab.slot().other(peer - 1));
            settings = settings.replace(&format!("={there}:"), &format!("={here}:"));
            for port in PEER_PORTS {
                let (here, there) = (SocketAddr::from((here, port)), SocketAddr::from((there, port)));
                forwarders.push(Forwarder::start(here, there).await?);
            }
        }
        fs::write(&path, settings)?;
        server.kill().await?;
        server.start().await?;
        server.wait_ready().await?;
        let mode = server.mode().await?;
        ensure!(mode == "follower", "{} is a {mode}: it has the lowest number and came last", server.name());
        Ok(Self(forwarders))
    }

    pub(super) fn cut(&self) {
        self.0.iter().for_each(Forwarder::cut);
    }

    pub(super) fn heal(&self) {
        self.0.iter().for_each(Forwarder::heal);
    }
}
