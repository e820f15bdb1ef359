//! A TLS client's records, counted as far as its login.

use capitana_core::tls::Records;
use proptest::prelude::*;

fn record(kind: u8, length: u16) -> Vec<u8> {
    let mut bytes = vec![kind, 3, 3];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.resize(5 + usize::from(length), 0x17);
    bytes
}

/// A TLS 1.3 client: hello, change of cipher, the end of its handshake, its login, and a command.
fn session() -> Vec<Vec<u8>> {
    vec![record(22, 300), record(20, 1), record(23, 53), record(23, 90), record(23, 30)]
}

#[test]
fn a_client_is_settled_with_the_record_after_its_login() {
    let mut records = Records::new(true);
    for (number, record) in session().iter().enumerate() {
        assert!(!records.is_settled(), "before record {number}");
        records.take(record);
    }
    assert!(records.is_settled());
}

#[test]
fn a_client_without_tls_is_settled_from_the_start() {
    assert!(Records::new(false).is_settled());
}

proptest! {
    #[test]
    fn pieces_make_no_difference(piece in 1usize..400, cut in 0usize..495) {
        let bytes = session().concat();
        let mut records = Records::new(true);
        bytes[..cut].chunks(piece).for_each(|chunk| records.take(chunk));
        let mut whole = Records::new(true);
        whole.take(&bytes[..cut]);
        prop_assert_eq!(records.is_settled(), whole.is_settled());
    }
}
