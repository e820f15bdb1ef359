//! What reading along shows of a handshake, whatever pieces its bytes come in.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use capitana_core::handshake::{Handshake, Seen, Stage};
use capitana_core::packet::{CLIENT_PROTOCOL_41, CLIENT_SSL};
use mysql_common::constants::{CapabilityFlags, StatusFlags};
use mysql_common::packets::{AuthPlugin, HandshakePacket, HandshakeResponse, SslRequest};
use mysql_common::proto::MySerialize;
use proptest::prelude::*;

const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
const ACCESS_DENIED: &[u8] = b"\xff\x15\x04#28000Access denied";
const SWITCH_PLUGIN: &[u8] = b"\xfeclient_ed25519\x0012345678901234567890123456789012";

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_le_bytes()[..3].to_vec();
    bytes.push(sequence);
    bytes.extend_from_slice(payload);
    bytes
}

fn of(sequence: u8, payload: &impl MySerialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    payload.serialize(&mut bytes);
    packet(sequence, &bytes)
}

fn capabilities(bits: u32) -> CapabilityFlags {
    CapabilityFlags::from_bits_truncate(bits)
}

fn greeting() -> Vec<u8> {
    let plugin = Some(&b"mysql_native_password"[..]);
    let all = CapabilityFlags::all();
    of(
        0,
        &HandshakePacket::new(
            10,
            &b"10.11.8-MariaDB"[..],
            42,
            [7; 8],
            Some(&[9; 13][..]),
            all,
            45,
            StatusFlags::empty(),
            plugin,
        ),
    )
}

fn login(user: &str, bits: u32) -> Vec<u8> {
    let plugin = Some(AuthPlugin::MysqlNativePassword);
    let scramble = Some(&[1u8; 20][..]);
    let user = Some(user.as_bytes());
    of(
        1,
        &HandshakeResponse::new(
            scramble,
            (10, 11, 8),
            user,
            None::<&[u8]>,
            plugin,
            capabilities(bits),
            None,
            1 << 24,
        ),
    )
}

fn ssl_request() -> Vec<u8> {
    of(1, &SslRequest::new(capabilities(CLIENT_PROTOCOL_41 | CLIENT_SSL), 1 << 24, 45))
}

/// Who sends what, in this order.
type Talk = Vec<(bool, Vec<u8>)>;

fn server(bytes: impl Into<Vec<u8>>) -> (bool, Vec<u8>) {
    (true, bytes.into())
}

fn client(bytes: impl Into<Vec<u8>>) -> (bool, Vec<u8>) {
    (false, bytes.into())
}

/// What is seen of a talk whose pieces are cut to these lengths, over and over.
fn seen_of(talk: &Talk, cuts: &[usize]) -> (Stage, Seen) {
    let mut handshake = Handshake::default();
    let mut cuts = cuts.iter().copied().cycle();
    for (from_server, bytes) in talk {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(cuts.next().unwrap_or(usize::MAX).min(rest.len()));
            if *from_server {
                handshake.from_server(piece);
            } else {
                handshake.from_client(piece);
            }
            rest = later;
        }
    }
    (handshake.stage(), handshake.seen().clone())
}

fn whole(talk: &Talk) -> (Stage, Seen) {
    seen_of(talk, &[usize::MAX])
}

#[test]
fn a_plain_login_is_followed_to_its_end() {
    let talk = vec![server(greeting()), client(login("shop", CLIENT_PROTOCOL_41)), server(packet(2, OK))];
    let (stage, seen) = whole(&talk);
    assert_eq!(stage, Stage::Open);
    assert_eq!((seen.thread_id, seen.user.as_deref(), seen.tls), (Some(42), Some("shop"), false));
    assert_eq!(seen.capabilities.unwrap() & CLIENT_PROTOCOL_41, CLIENT_PROTOCOL_41);
}

#[test]
fn each_side_is_waited_for_in_turn() {
    let mut handshake = Handshake::default();
    assert_eq!(handshake.stage(), Stage::Greeting);
    handshake.from_server(&greeting());
    assert_eq!(handshake.stage(), Stage::Login);
    handshake.from_client(&login("shop", CLIENT_PROTOCOL_41));
    assert_eq!(handshake.stage(), Stage::Authentication);
    assert!(!handshake.is_over());
}

#[test]
fn a_switch_of_the_plugin_and_its_exchange_are_followed() {
    let talk = vec![
        server(greeting()),
        client(login("shop", CLIENT_PROTOCOL_41)),
        server(packet(2, SWITCH_PLUGIN)),
        client(packet(3, &[5; 64])),
        server(packet(4, b"\x01\x04")),
        client(packet(5, b"")),
        server(packet(6, OK)),
    ];
    assert_eq!(whole(&talk).0, Stage::Open);
}

#[test]
fn a_refused_login_is_seen_as_refused() {
    let talk =
        vec![server(greeting()), client(login("shop", CLIENT_PROTOCOL_41)), server(packet(2, ACCESS_DENIED))];
    assert_eq!(whole(&talk).0, Stage::Refused);
}

#[test]
fn an_error_in_place_of_a_greeting_is_seen_as_refused() {
    assert_eq!(whole(&vec![server(packet(0, b"\xff\x69\x04Host blocked"))]).0, Stage::Refused);
}

#[test]
fn after_a_request_for_tls_nothing_more_is_read_but_what_was_learned_stays() {
    let talk = vec![server(greeting()), client(ssl_request()), client([22, 3, 1, 2, 0]), server([22, 3, 3])];
    let (stage, seen) = whole(&talk);
    assert_eq!(stage, Stage::Opaque);
    assert_eq!((seen.thread_id, seen.user, seen.tls), (Some(42), None, true));
}

#[test]
fn bytes_after_the_handshake_are_not_looked_at() {
    let mut end = packet(2, OK);
    end.extend_from_slice(&[0xff; 100]);
    let talk =
        vec![server(greeting()), client(login("shop", CLIENT_PROTOCOL_41)), server(end), client([9; 50])];
    assert_eq!(whole(&talk).0, Stage::Open);
}

#[test]
fn a_client_that_speaks_before_the_greeting_makes_it_blind() {
    assert_eq!(whole(&vec![client(&b"GET / HTTP/1.1\r\n\r\n"[..])]).0, Stage::Opaque);
    assert_eq!(whole(&vec![client(login("shop", CLIENT_PROTOCOL_41))]).0, Stage::Opaque);
}

#[test]
fn a_packet_that_claims_to_be_long_makes_it_blind_before_it_is_kept() {
    assert_eq!(whole(&vec![server([0xff, 0xff, 0xff, 0])]).0, Stage::Opaque);
}

#[test]
fn an_empty_packet_makes_it_blind_except_while_a_plugin_talks() {
    assert_eq!(whole(&vec![server(packet(0, b""))]).0, Stage::Opaque);
    assert_eq!(whole(&vec![server(greeting()), client(packet(1, b""))]).0, Stage::Opaque);
}

#[test]
fn a_login_of_the_old_protocol_makes_it_blind() {
    assert_eq!(whole(&vec![server(greeting()), client(login("shop", 0))]).0, Stage::Opaque);
}

#[test]
fn a_user_name_longer_than_any_account_has_is_cut() {
    let talk = vec![server(greeting()), client(login(&"ü".repeat(5000), CLIENT_PROTOCOL_41))];
    assert_eq!(whole(&talk).1.user, Some("ü".repeat(128)));
}

#[test]
fn a_second_greeting_makes_it_blind() {
    assert_eq!(whole(&vec![server(greeting()), server(greeting())]).0, Stage::Opaque);
}

/// Talks of real packets in any order, with garbage between.
fn talks() -> impl Strategy<Value = Talk> {
    let piece = prop_oneof![
        4 => Just(server(greeting())),
        4 => "[a-z]{0,20}".prop_map(|user| client(login(&user, CLIENT_PROTOCOL_41))),
        1 => Just(client(ssl_request())),
        2 => Just(server(packet(2, SWITCH_PLUGIN))),
        2 => Just(client(packet(3, &[5; 64]))),
        2 => Just(server(packet(4, OK))),
        1 => Just(server(packet(4, ACCESS_DENIED))),
        1 => (any::<bool>(), prop::collection::vec(any::<u8>(), 0..64)),
    ];
    prop::collection::vec(piece, 0..12)
}

/// A talk that is well-formed to its end.
fn complete() -> Talk {
    vec![
        server(greeting()),
        client(login("shop", CLIENT_PROTOCOL_41)),
        server(packet(2, SWITCH_PLUGIN)),
        client(packet(3, &[5; 64])),
        server(packet(4, OK)),
    ]
}

proptest! {
    #[test]
    fn a_complete_handshake_is_seen_in_whatever_pieces_it_comes(cuts in prop::collection::vec(1..90usize, 1..20)) {
        let (stage, seen) = seen_of(&complete(), &cuts);
        prop_assert_eq!(stage, Stage::Open);
        prop_assert_eq!(seen.user.as_deref(), Some("shop"));
    }

    #[test]
    fn the_same_bytes_show_the_same_in_whatever_pieces_they_come(
        talk in talks(), cuts in prop::collection::vec(1..90usize, 1..20),
    ) {
        prop_assert_eq!(seen_of(&talk, &cuts), whole(&talk));
    }

    #[test]
    fn arbitrary_bytes_are_taken_without_a_panic(
        talk in prop::collection::vec((any::<bool>(), any::<Vec<u8>>()), 0..20),
    ) {
        let _ = whole(&talk);
    }

    #[test]
    fn what_is_over_stays_over(talk in talks(), more in talks()) {
        let (stage, seen) = whole(&talk);
        if matches!(stage, Stage::Open | Stage::Refused | Stage::Opaque) {
            let both: Talk = talk.into_iter().chain(more).collect();
            prop_assert_eq!(whole(&both), (stage, seen));
        }
    }
}
