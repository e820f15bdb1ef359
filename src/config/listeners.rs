//! Where the proxy accepts clients: the addresses of both listeners, checked against each other, the admin endpoint's and
//! a fixed primary's.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use capitana_core::Role;

use super::ProxyConfig;
use super::choices::ListenOrOff;
use super::settings::ProxySettings;
use super::source::Source;
use crate::error::{Error, Origin};

/// Where clients are accepted.
#[derive(Debug)]
pub(super) struct Listeners {
    /// Those for the primary.
    pub(super) primary: Vec<SocketAddr>,
    /// Those for the replicas; none where it is off, or the primary is fixed.
    pub(super) replica: Vec<SocketAddr>,
}

impl ProxyConfig {
    /// Every address on which clients are accepted, and what it leads to.
    pub fn listeners(&self) -> impl Iterator<Item = (Role, SocketAddr)> {
        let primary = self.listen.iter().map(|address| (Role::Primary, *address));
        primary.chain(self.replica_listen.iter().map(|address| (Role::Replica, *address)))
    }
}

impl ProxySettings {
    /// The addresses of both roles.
    pub(super) fn listeners(
        &self,
        admin: SocketAddr,
        source: &Source<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Listeners, Error> {
        let primary: Vec<_> = self.listen.iter().map(|text| text.value).collect();
        if primary.is_empty() {
            return Err(source.error("listen", "expected at least one address, such as [\"0.0.0.0:3306\"]"));
        }
        let replica = self.replica_listeners(source, warnings)?;
        let mut seen = BTreeSet::from([admin]);
        let all = primary.iter().map(|address| ("listen", address));
        for (id, address) in all.chain(replica.iter().map(|address| ("replica_listen", address))) {
            if address.port() == 0 || seen.insert(*address) {
                continue;
            }
            let problem = match id {
                _ if *address == admin => {
                    format!("{address} is also the address of admin-listen: choose another")
                }
                "replica_listen" if primary.contains(address) => {
                    format!("{address} is also an address of listen: choose another")
                }
                _ => format!("{address} is there twice: keep one"),
            };
            return Err(source.error(id, problem));
        }
        Ok(Listeners { primary, replica })
    }

    fn replica_listeners(
        &self,
        source: &Source<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<SocketAddr>, Error> {
        let mut addresses = Vec::new();
        for text in &self.replica_listen {
            match text.value {
                ListenOrOff::At(address) => addresses.push(address),
                ListenOrOff::Off if self.replica_listen.len() > 1 => {
                    let problem = "\"off\" stands beside an address: keep one of the two";
                    return Err(source.error("replica_listen", problem));
                }
                ListenOrOff::Off => {}
            }
        }
        if self.primary.is_some() && !addresses.is_empty() {
            if !matches!(source.origin("replica_listen"), Origin::Unset(_)) {
                let origin = source.origin("replica_listen");
                warnings.push(format!("{origin}: with a fixed primary there are no replicas: not opened"));
            }
            addresses.clear();
        }
        Ok(addresses)
    }

    /// A proxy whose fixed primary is itself would connect to itself without end.
    pub(super) fn leads_elsewhere(&self, source: &Source<'_>) -> Result<(), Error> {
        let Some(primary) = self.primary.as_ref().map(|text| &text.value) else { return Ok(()) };
        let loopback = primary.host() == "localhost" || primary.ip().is_some_and(|ip| ip.is_loopback());
        let is_primary = |listen: SocketAddr| {
            let same_host = primary.ip() == Some(listen.ip()) || (listen.ip().is_unspecified() && loopback);
            listen.port() == primary.port() && same_host
        };
        match self.listen.iter().map(|text| text.value).find(|listen| is_primary(*listen)) {
            Some(listen) => {
                let problem =
                    format!("{primary} is where this proxy listens itself ({listen}): change one of the two");
                Err(source.error("primary", problem))
            }
            None => Ok(()),
        }
    }
}
