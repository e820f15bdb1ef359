//! The few MySQL packets capitana builds or reads, against `mysql_common`, which knows them all.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

use capitana_core::packet::{
    CLIENT_PROTOCOL_41, CLIENT_SSL, Greeting, HEADER, Login, NO_PRIMARY, TOO_MANY_CONNECTIONS,
    error_before_greeting,
};
use mysql_common::constants::{CapabilityFlags, StatusFlags};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{AuthPlugin, ErrPacket, HandshakePacket, HandshakeResponse, SslRequest};
use mysql_common::proto::{MyDeserialize, MySerialize};
use proptest::prelude::*;

/// The payload of a packet, whose header must fit it.
fn payload(packet: &[u8], sequence: u8) -> &[u8] {
    let length = u32::from_le_bytes([packet[0], packet[1], packet[2], 0]) as usize;
    assert_eq!(packet.len(), HEADER + length);
    assert_eq!(packet[3], sequence);
    &packet[HEADER..]
}

fn serialized(packet: &impl MySerialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.serialize(&mut bytes);
    bytes
}

/// Every bit that `mysql_common` knows, of these.
fn known(bits: u32) -> CapabilityFlags {
    CapabilityFlags::from_bits_truncate(bits)
}

fn greeting(version: &str, thread_id: u32, capabilities: CapabilityFlags) -> Vec<u8> {
    serialized(&HandshakePacket::new(
        10,
        version.as_bytes(),
        thread_id,
        [7; 8],
        capabilities.contains(CapabilityFlags::CLIENT_SECURE_CONNECTION).then_some(&[9; 13][..]),
        capabilities,
        45,
        StatusFlags::SERVER_STATUS_AUTOCOMMIT,
        capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH).then_some(&b"mysql_native_password"[..]),
    ))
}

fn login(user: &str, capabilities: CapabilityFlags) -> Vec<u8> {
    serialized(&HandshakeResponse::new(
        Some(&[1u8; 20][..]),
        (11, 4, 2),
        Some(user.as_bytes()),
        Some(&b"shop"[..]),
        Some(AuthPlugin::MysqlNativePassword),
        capabilities,
        None,
        1 << 24,
    ))
}

fn parse_error(packet: &[u8]) -> (u16, String) {
    // Before the greeting nothing is agreed on, and a client parses without any capability.
    let parsed = ErrPacket::deserialize(CapabilityFlags::empty(), &mut ParseBuf(payload(packet, 0))).unwrap();
    let error = parsed.server_error();
    (error.error_code(), error.message_str().into_owned())
}

#[test]
fn an_error_before_the_greeting_is_read_by_a_client_library() {
    let packet = error_before_greeting(TOO_MANY_CONNECTIONS, "Too many connections");
    assert_eq!(parse_error(&packet), (1040, "Too many connections".to_owned()));
}

#[test]
fn a_long_error_message_is_cut_between_characters() {
    let (code, message) = parse_error(&error_before_greeting(NO_PRIMARY, &"ß".repeat(1000)));
    assert_eq!((code, message), (1053, "ß".repeat(400)));
}

#[test]
fn a_greeting_of_mariadb_is_read() {
    let version = "5.5.5-10.11.8-MariaDB-log";
    let capabilities = CapabilityFlags::all() & !CapabilityFlags::CLIENT_LONG_PASSWORD;
    let bytes = greeting(version, 0xdead_beef, capabilities);
    let read = Greeting::read(&bytes).unwrap();
    assert_eq!(read.thread_id, 0xdead_beef);
    assert_eq!(read.version, version);
    assert_eq!(read.capabilities, capabilities.bits());
}

#[test]
fn a_greeting_of_another_protocol_is_not_read() {
    let mut bytes = greeting("3.20", 1, CapabilityFlags::empty());
    bytes[0] = 9;
    assert_eq!(Greeting::read(&bytes), None);
}

#[test]
fn a_greeting_that_is_cut_short_is_not_read() {
    let bytes = greeting("10.11.8", 1, CapabilityFlags::all());
    for length in 0..24 {
        assert_eq!(Greeting::read(&bytes[..length]), None, "{length} bytes");
    }
}

#[test]
fn a_login_in_the_clear_shows_its_user() {
    let bytes = login("shop-ä", known(CLIENT_PROTOCOL_41));
    let Some(Login::Plain { user, .. }) = Login::read(&bytes) else { panic!("{bytes:?}") };
    assert_eq!(user, "shop-ä");
}

#[test]
fn an_anonymous_login_has_an_empty_user() {
    let bytes = login("", known(CLIENT_PROTOCOL_41));
    assert!(matches!(Login::read(&bytes), Some(Login::Plain { user, .. }) if user.is_empty()));
}

#[test]
fn a_request_for_tls_is_told_from_a_login() {
    let capabilities = known(CLIENT_PROTOCOL_41 | CLIENT_SSL);
    let bytes = serialized(&SslRequest::new(capabilities, 1 << 24, 45));
    assert_eq!(Login::read(&bytes), Some(Login::Tls { capabilities: capabilities.bits() }));
}

#[test]
fn a_login_of_the_old_protocol_is_not_read() {
    let bytes = login("shop", CapabilityFlags::CLIENT_LONG_FLAG);
    assert_eq!(Login::read(&bytes), None);
}

#[test]
fn a_login_whose_user_does_not_end_is_not_read() {
    let mut bytes = login("", known(CLIENT_PROTOCOL_41))[..32].to_vec();
    bytes.extend_from_slice(b"shop");
    assert_eq!(Login::read(&bytes), None);
}

proptest! {
    #[test]
    fn any_error_message_up_to_the_limit_arrives(code in 1..0xffffu16, message in ".{0,400}") {
        prop_assert_eq!(parse_error(&error_before_greeting(code, &message)), (code, message));
    }

    #[test]
    fn any_greeting_is_read_as_the_client_library_reads_it(
        version in "[!-~]{0,60}", thread_id: u32, bits: u32,
    ) {
        let bytes = greeting(&version, thread_id, known(bits));
        let ours = Greeting::read(&bytes).unwrap();
        let theirs = HandshakePacket::deserialize((), &mut ParseBuf(&bytes)).unwrap();
        prop_assert_eq!(ours.thread_id, theirs.connection_id());
        prop_assert_eq!(ours.capabilities, theirs.capabilities().bits());
        prop_assert_eq!(ours.version, theirs.server_version_str());
    }

    #[test]
    fn any_login_is_read_as_the_server_library_reads_it(user in "[^\\x00]{0,60}", bits: u32) {
        let bytes = login(&user, known(bits | CLIENT_PROTOCOL_41));
        let theirs = HandshakeResponse::deserialize((), &mut ParseBuf(&bytes)).unwrap();
        let ours = Login::read(&bytes);
        let Some(Login::Plain { capabilities, user }) = ours else { panic!("{ours:?}") };
        prop_assert_eq!(capabilities, theirs.capabilities().bits());
        prop_assert_eq!(user.as_bytes(), theirs.user());
    }

    #[test]
    fn arbitrary_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
        let _ = (Greeting::read(&bytes), Login::read(&bytes));
        let mut ten = vec![10];
        ten.extend_from_slice(&bytes);
        let _ = Greeting::read(&ten);
    }
}
