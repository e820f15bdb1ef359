//! As much of the MySQL protocol as a proxy sees of it.

use std::io::{self, Read};

/// A packet with its header.
pub fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_le_bytes()[..3].to_vec();
    bytes.push(sequence);
    bytes.extend_from_slice(payload);
    bytes
}

/// A server's greeting, as MariaDB 10.11 sends it.
pub fn greeting(thread_id: u32) -> Vec<u8> {
    let mut payload = b"\x0a5.5.5-10.11.8-MariaDB\0".to_vec();
    payload.extend_from_slice(&thread_id.to_le_bytes());
    payload.extend_from_slice(b"abcdefgh\0\xfe\xff\x2d\x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0");
    payload.extend_from_slice(b"ijklmnopqrst\0mysql_native_password\0");
    packet(0, &payload)
}

/// A client's login in the clear.
pub fn login(user: &str) -> Vec<u8> {
    let mut payload = 0x0000_a200_u32.to_le_bytes().to_vec();
    payload.extend_from_slice(&(1u32 << 24).to_le_bytes());
    payload.push(45);
    payload.extend_from_slice(&[0; 23]);
    payload.extend_from_slice(user.as_bytes());
    payload.extend_from_slice(&[0, 0]);
    packet(1, &payload)
}

/// The server's word that a login succeeded.
pub fn ok() -> Vec<u8> {
    packet(2, &[0, 0, 0, 2, 0, 0, 0])
}

/// Reads one packet whole, with its header.
pub fn read_packet(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    from.read_exact(&mut bytes)?;
    let length = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]) as usize;
    bytes.resize(4 + length, 0);
    from.read_exact(&mut bytes[4..])?;
    Ok(bytes)
}

/// The code and text of a well-formed error packet that takes a greeting's place.
pub fn error_of(packet: &[u8]) -> (u16, String) {
    assert_eq!((packet[3], packet[4]), (0, 0xff), "{packet:?}");
    let text = String::from_utf8(packet[7..].to_vec()).unwrap();
    assert!(!text.starts_with('#'), "an error before the greeting has no SQLSTATE: {text}");
    (u16::from_le_bytes([packet[5], packet[6]]), text)
}
