//! The statement that a session begins with: what is said, and what answers mean.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use capitana_core::init_sql::{Answer, Framing, answer, command, take_packet};
use proptest::prelude::*;

const SQL: &str = "SET SESSION wsrep_sync_wait=1";

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_le_bytes()[..3].to_vec();
    bytes.push(sequence);
    bytes.extend_from_slice(payload);
    bytes
}

fn carried(bytes: &[u8], uncompressed: u32) -> Vec<u8> {
    let mut frame = packet(1, &[]);
    frame[..3].copy_from_slice(&(bytes.len() as u32).to_le_bytes()[..3]);
    frame.extend_from_slice(&uncompressed.to_le_bytes()[..3]);
    frame.extend_from_slice(bytes);
    frame
}

fn ok(status: u8) -> Vec<u8> {
    packet(1, &[0, 0, 0, status, 0, 0, 0])
}

#[test]
fn a_statement_is_a_query_with_the_sequence_number_0() {
    let bytes = command(SQL, Framing::Plain);
    assert_eq!(bytes, packet(0, &[&[3], SQL.as_bytes()].concat()));
    let compressed = command(SQL, Framing::Compressed);
    assert_eq!((compressed[0] as usize, &compressed[3..7]), (bytes.len(), &[0, 0, 0, 0][..]));
    assert_eq!(compressed[7..], bytes);
}

#[test]
fn an_ok_ends_the_statement() {
    assert_eq!(answer(&ok(2), Framing::Plain), Answer::Done);
    assert_eq!(answer(&carried(&ok(2), 0), Framing::Compressed), Answer::Done);
}

#[test]
fn an_answer_is_waited_for_until_all_of_it_is_there() {
    for framing in [Framing::Plain, Framing::Compressed] {
        let whole = if framing == Framing::Plain { ok(2) } else { carried(&ok(2), 0) };
        for end in 0..whole.len() {
            assert_eq!(answer(&whole[..end], framing), Answer::Incomplete, "{end} of {framing:?}");
        }
    }
}

#[test]
fn an_error_is_told_in_the_servers_words() {
    let refused = packet(1, b"\xff\xa9\x04#HY000Unknown system variable 'wsrep_sync_wait'");
    let expected = Answer::Refused("error 1193: Unknown system variable 'wsrep_sync_wait'".to_owned());
    assert_eq!(answer(&refused, Framing::Plain), expected);
}

#[test]
fn an_answer_that_cannot_be_kept_from_the_client_is_none() {
    let rows = packet(1, &[1]);
    let file = packet(1, b"\xfb/etc/passwd");
    let long = packet(1, &[7; 20_000]);
    let two = [ok(2), ok(2)].concat();
    for bytes in [rows, file, long, ok(8 | 2), two] {
        assert!(matches!(answer(&bytes, Framing::Plain), Answer::Unusable(_)), "{bytes:?}");
    }
    let compressed = carried(b"zlib", 200);
    assert!(matches!(answer(&compressed, Framing::Compressed), Answer::Unusable(_)));
}

#[test]
fn packets_are_framed_anew_only_if_both_sides_can() {
    let (zlib, zstd) = (1 << 5, 1 << 26);
    assert_eq!(Framing::agreed(zlib, zlib), Framing::Compressed);
    assert_eq!(Framing::agreed(zlib | zstd, zstd), Framing::Compressed);
    assert_eq!(Framing::agreed(0, zlib), Framing::Plain);
    assert_eq!(Framing::agreed(zlib, zstd), Framing::Plain);
}

#[test]
fn packets_are_taken_one_by_one() {
    let mut bytes = [packet(2, b"first"), packet(3, b"second")].concat();
    bytes.truncate(bytes.len() - 1);
    assert_eq!(take_packet(&mut bytes).unwrap(), packet(2, b"first"));
    assert_eq!(take_packet(&mut bytes), None);
    bytes.push(b'd');
    assert_eq!(take_packet(&mut bytes).unwrap(), packet(3, b"second"));
    assert!(bytes.is_empty());
}

proptest! {
    #[test]
    fn arbitrary_answers_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = answer(&bytes, Framing::Plain);
        let _ = answer(&bytes, Framing::Compressed);
        let mut bytes = bytes;
        let _ = take_packet(&mut bytes);
    }
}
