//! What an agent notices of its server, and what it does not hold against it, on real servers: the fast ones of those
//! scenarios. How long it takes is for `lab scenario`, on a machine that does nothing else.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

mod quick;

use quick::{passes, passes_but_for};

#[test]
fn a_primary_without_a_connection_left_stays_primary() {
    passes("connections-full");
}

#[test]
fn a_primary_whose_disk_stops_while_it_says_that_it_is_synced_steps_down_and_comes_back() {
    passes_but_for("stuck-commits", &["stepped_down_ms"]);
}

#[test]
fn two_servers_without_galera_are_elected_followed_and_replaced() {
    passes_but_for("plain-mariadb", &["znode_gone_ms"]);
}
