//! What a host says on its network when an address has become its own: packets, as bytes. Sending them is its caller's.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The address of a network interface.
pub type Mac = [u8; 6];

/// The type of an ARP packet on Ethernet (`ETH_P_ARP`).
pub const ETHERTYPE_ARP: u16 = 0x0806;

/// A gratuitous ARP packet (RFC 5227, 2.3: an announcement): `address` is at `mac`. What follows the Ethernet header.
#[must_use]
pub fn arp_announcement(mac: Mac, address: Ipv4Addr) -> [u8; 28] {
    let mut packet = [0; 28];
    // Ethernet, IPv4, their lengths, a request: of the two forms the one that every system takes in.
    packet[..8].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
    packet[8..14].copy_from_slice(&mac);
    packet[14..18].copy_from_slice(&address.octets());
    packet[24..].copy_from_slice(&address.octets());
    packet
}

/// An unsolicited neighbour advertisement (RFC 4861, 7.2.6): `address` is at `mac`, whatever was known. An ICMPv6 message
/// whose checksum the kernel fills in.
#[must_use]
pub fn neighbour_advertisement(mac: Mac, address: Ipv6Addr) -> [u8; 32] {
    let mut message = [0; 32];
    message[0] = 136;
    // Override: what others have cached is replaced.
    message[4] = 0x20;
    message[8..24].copy_from_slice(&address.octets());
    // The option "target link-layer address", in units of eight bytes.
    message[24..26].copy_from_slice(&[2, 1]);
    message[26..].copy_from_slice(&mac);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = [2, 0, 0, 0, 0, 7];

    #[test]
    fn a_gratuitous_arp_names_the_address_as_sender_and_as_target() {
        let packet = arp_announcement(MAC, Ipv4Addr::new(192, 0, 2, 10));
        assert_eq!(packet[8..18], [2, 0, 0, 0, 0, 7, 192, 0, 2, 10]);
        assert_eq!(packet[18..], [0, 0, 0, 0, 0, 0, 192, 0, 2, 10]);
    }

    #[test]
    fn an_unsolicited_advertisement_overrides_and_asks_for_nothing() {
        let address: Ipv6Addr = "fd00::9".parse().unwrap();
        let message = neighbour_advertisement(MAC, address);
        assert_eq!((message[0], message[1], message[4]), (136, 0, 0x20));
        assert_eq!(message[8..24], address.octets());
        assert_eq!(message[24..], [2, 1, 2, 0, 0, 0, 0, 7]);
    }
}
