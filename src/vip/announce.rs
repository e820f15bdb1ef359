//! Tells the neighbours that an address is here now: gratuitous ARP for IPv4, an unsolicited neighbour advertisement for
//! IPv6. What the packets hold is in `capitana_core::neighbour`.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddrV6};

use capitana_core::neighbour::{ETHERTYPE_ARP, Mac, arp_announcement, neighbour_advertisement};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::sys::broadcast_address;

/// All nodes of a link (RFC 4291, 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Advertisements that have passed a router are not believed (RFC 4861, 7.1.2).
const HOPS: u32 = 255;

/// What is sent, from where, and to whom.
pub(super) struct Announcer {
    socket: Socket,
    packet: Vec<u8>,
    to: SockAddr,
}

impl Announcer {
    /// One for `address` at `mac`, on the interface of this number.
    ///
    /// # Errors
    /// The right to send packets of one's own making is missing.
    pub(super) fn open(address: IpAddr, mac: Mac, index: u32) -> io::Result<Self> {
        match address {
            IpAddr::V4(address) => {
                let protocol = Protocol::from(i32::from(ETHERTYPE_ARP.to_be()));
                let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol))?;
                let to = broadcast_address(index, ETHERTYPE_ARP);
                Ok(Self { socket, packet: arp_announcement(mac, address).to_vec(), to })
            }
            IpAddr::V6(address) => {
                let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
                socket.set_multicast_hops_v6(HOPS)?;
                socket.set_multicast_if_v6(index)?;
                socket.bind(&SocketAddrV6::new(address, 0, 0, index).into())?;
                let to = SocketAddrV6::new(ALL_NODES, 0, 0, index).into();
                Ok(Self { socket, packet: neighbour_advertisement(mac, address).to_vec(), to })
            }
        }
    }

    /// Sends it once.
    ///
    /// # Errors
    /// The interface is down or gone.
    pub(super) fn announce(&self) -> io::Result<()> {
        self.socket.send_to(&self.packet, &self.to).map(drop)
    }
}
