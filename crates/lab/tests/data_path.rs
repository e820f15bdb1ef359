//! The scenarios of the data path that measure no time, in their short forms.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod quick;

use quick::passes;

#[test]
fn every_byte_arrives_after_one_side_has_ended_its_direction_and_nothing_is_left() {
    passes("half-close");
}

#[test]
fn a_proxy_without_descriptors_rests_and_goes_on_as_soon_as_one_is_free() {
    passes("fd-limit");
}

#[test]
fn what_both_sides_write_at_once_in_pieces_of_all_sizes_arrives_as_it_was_sent() {
    passes("checksums");
}

#[test]
fn a_replica_a_clients_file_and_packets_of_64_mb_come_through_as_direct() {
    passes("long-streams");
}
