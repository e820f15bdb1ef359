//! The address on the network interface, by netlink: added with a lifetime, renewed, removed. When to do what is `vip`'s.

use std::io;
use std::net::IpAddr;

use capitana_core::neighbour::Mac;
use futures_util::TryStreamExt;
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, CacheInfo,
};
use rtnetlink::packet_route::link::LinkAttribute;
use rtnetlink::{Error as NetlinkError, Handle, new_connection};

use super::Vip;
use crate::error::{Error, WorkError};

/// The lifetime of an address that stays (`INFINITY_LIFE_TIME`).
const FOR_GOOD: u32 = u32::MAX;

/// A network interface, and the address that is held on it.
pub(super) struct Device {
    handle: Handle,
    index: u32,
    mac: Mac,
    vip: Vip,
}

impl Device {
    /// Looks the interface up.
    ///
    /// # Errors
    /// There is none of the name, or the address is on it already, without an end.
    pub(super) async fn open(vip: &Vip) -> Result<Self, Error> {
        let system = |source| Error::System { doing: "cannot open a netlink socket", source };
        let (connection, handle, _) = new_connection().map_err(system)?;
        tokio::spawn(connection);
        let mut links = handle.link().get().match_name(vip.device.clone()).execute();
        let link = links.try_next().await;
        let Ok(Some(link)) = link else {
            let problem = "there is no such network interface (`ip link` lists them)".to_owned();
            return Err(failed(vip, problem));
        };
        let address = |attribute: &LinkAttribute| match attribute {
            LinkAttribute::Address(mac) => Mac::try_from(mac.as_slice()).ok(),
            _ => None,
        };
        let mac = link.attributes.iter().find_map(address).unwrap_or_default();
        let device = Self { handle, index: link.header.index, mac, vip: vip.clone() };
        device.is_free().await?;
        Ok(device)
    }

    /// The interface's number.
    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// The interface's own address. Zeroes: it has none.
    pub(super) fn mac(&self) -> Mac {
        self.mac
    }

    /// An address that somebody has configured to stay is not this process's to remove. One with an end is what a process
    /// like this one has left.
    async fn is_free(&self) -> Result<(), Error> {
        match self.find().await? {
            Some(message) if lifetime(&message) == FOR_GOOD => Err(failed(
                &self.vip,
                "the address is there already, without an end: somebody has configured it; leave it to one of the two"
                    .to_owned(),
            )),
            _ => Ok(()),
        }
    }

    async fn find(&self) -> Result<Option<AddressMessage>, Error> {
        let filter = self.handle.address().get().set_link_index_filter(self.index);
        let found: Vec<_> = filter.execute().try_collect().await.map_err(|error| self.error(&error))?;
        let is_ours = |message: &AddressMessage| {
            let ours = |attribute: &AddressAttribute| match attribute {
                AddressAttribute::Local(ip) | AddressAttribute::Address(ip) => *ip == self.vip.address,
                _ => false,
            };
            message.header.index == self.index && message.attributes.iter().any(ours)
        };
        Ok(found.into_iter().find(is_ours))
    }

    /// Adds the address, or gives it its whole lifetime again.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) async fn renew(&self) -> Result<(), Error> {
        let request = self.handle.address().add(self.index, self.vip.address, self.vip.prefix);
        let mut request = request.replace();
        let seconds = u32::try_from(self.vip.lifetime.as_secs()).unwrap_or(FOR_GOOD - 1).max(1);
        let mut life = CacheInfo::default();
        (life.ifa_preferred, life.ifa_valid) = (seconds, seconds);
        let message = request.message_mut();
        message.attributes.push(AddressAttribute::CacheInfo(life));
        if self.vip.address.is_ipv6() {
            // Whether another host still has it is ZooKeeper's to say; asking the network would take a second.
            message.header.flags |= AddressHeaderFlags::Nodad;
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        request.execute().await.map_err(|error| self.error(&error))
    }

    /// Removes the address. One that has gone by itself is no error.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) async fn remove(&self) -> Result<(), Error> {
        let Some(message) = self.find().await? else { return Ok(()) };
        self.handle.address().del(message).execute().await.map_err(|error| self.error(&error))
    }

    fn error(&self, error: &NetlinkError) -> Error {
        let problem = match error {
            NetlinkError::NetlinkError(message) => match message.to_io() {
                error if error.kind() == io::ErrorKind::PermissionDenied => {
                    "no permission to change its addresses: that takes root or CAP_NET_ADMIN".to_owned()
                }
                error => error.to_string(),
            },
            error => error.to_string(),
        };
        failed(&self.vip, problem)
    }
}

fn lifetime(message: &AddressMessage) -> u32 {
    let valid = |attribute: &AddressAttribute| match attribute {
        AddressAttribute::CacheInfo(life) => Some(life.ifa_valid),
        _ => None,
    };
    message.attributes.iter().find_map(valid).unwrap_or(FOR_GOOD)
}

fn failed(vip: &Vip, problem: String) -> Error {
    let address: IpAddr = vip.address;
    WorkError::Vip { address, device: vip.device.clone(), problem }.into()
}
