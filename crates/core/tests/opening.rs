//! The client's first packet: what goes on to a server and what does not, and what is said for a client that has gone.

use capitana_core::opening::{First, VANISHED, answer, complete, judge, vanished};
use capitana_core::packet::Login;
use proptest::prelude::*;

/// A login with an answer of four bytes, a schema and a plugin.
fn login() -> Vec<u8> {
    let mut payload = (1u32 << 3 | 1 << 9 | 1 << 15 | 1 << 19).to_le_bytes().to_vec();
    payload.extend_from_slice(&[0; 28]);
    payload.extend_from_slice(b"shop\0\x04abcdapp\0mysql_native_password\0");
    packet(1, &payload)
}

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_le_bytes()[..3].to_vec();
    bytes.push(sequence);
    bytes.extend_from_slice(payload);
    bytes
}

#[test]
fn a_login_is_sound_once_it_is_whole() {
    let login = login();
    for length in 0..login.len() {
        assert_eq!(judge(&login[..length]), First::Incomplete, "{length} bytes");
    }
    assert_eq!(judge(&login), First::Sound);
}

#[test]
fn a_login_whose_parts_reach_beyond_it_is_malformed() {
    let mut login = login();
    let answer = 4 + 32 + "shop\0".len();
    login[answer] = 99;
    assert_eq!(judge(&login), First::Malformed);
}

#[test]
fn a_request_for_tls_is_sound_with_the_beginning_of_a_hello_behind_it() {
    let request = packet(1, &[&(1u32 << 9 | 1 << 11).to_le_bytes()[..], &[0; 28]].concat());
    assert_eq!(judge(&request), First::Incomplete);
    assert_eq!(judge(&[&request[..], &[0x16, 3]].concat()), First::Sound);
    assert_eq!(judge(&[&request[..], b"GE"].concat()), First::Malformed);
}

#[test]
fn what_could_be_a_proxy_header_is_known_by_its_first_four_bytes() {
    assert_eq!(judge(b"PROX"), First::ProxyHeader);
    assert_eq!(judge(b"\r\n\r\n"), First::ProxyHeader);
}

#[test]
fn what_is_said_for_a_client_that_has_gone_is_itself_a_sound_login_of_nobody() {
    assert_eq!(judge(&vanished()), First::Sound);
    match Login::read(&vanished()[4..]) {
        Some(Login::Plain { user, .. }) => assert_eq!(user, VANISHED),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_rest_of_a_packet_makes_it_whole() {
    assert_eq!(complete(b"", 3), [0, 0, 0, 3]);
    assert_eq!(complete(b"\x02", 3), [0, 0, 3, 0, 0]);
    assert_eq!(complete(b"\x02\0\0\x03a", 3), [0]);
}

#[test]
fn a_server_is_answered_until_it_has_decided() {
    assert_eq!(answer(&packet(2, b"\xfeplugin\0")), Some(packet(3, b"")));
    assert_eq!(answer(&packet(4, b"\x01more")), Some(packet(5, b"")));
    assert_eq!(answer(&packet(2, b"\0\0\0")), Some(packet(0, b"\x01")));
    assert_eq!(answer(&packet(2, b"\xff\x15\x04")), None);
}

proptest! {
    #[test]
    fn only_packets_with_sequence_one_ever_go_on(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if judge(&bytes) == First::Sound {
            prop_assert_eq!(bytes[3], 1);
        }
    }
}
