//! What becomes of a server whose agent is frozen or cut off from ZooKeeper, on real parts. How long it takes is for
//! `lab scenario`, on a machine that does nothing else; here only what must hold on any machine is looked at.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

mod quick;

use quick::figures;

#[test]
fn an_agent_that_was_frozen_acts_on_nothing_stale() {
    figures(
        "agent-freeze",
        &[
            ("lost", 0.0),
            ("routes_to_an_older_epoch", 0.0),
            ("epochs_of_two_primaries", 0.0),
            ("changes_of_primary_after_all", 0.0),
            ("looks_at_a_znode_of_a_dead_server", 0.0),
            ("nodes_with_one_znode", 3.0),
        ],
    );
}

#[test]
fn a_server_whose_agent_is_cut_off_takes_no_write_until_it_is_back() {
    figures(
        "agent-cut-long",
        &[
            ("read_only_lost", 0.0),
            ("read_only_writes_taken_while_fenced", 0.0),
            ("read_only_fences", 1.0),
            ("read_only_nodes_with_one_znode", 3.0),
            ("reject_lost", 0.0),
            ("reject_writes_taken_while_fenced", 0.0),
            ("reject_fences", 1.0),
            ("reject_nodes_with_one_znode", 3.0),
        ],
    );
}

#[test]
fn nobody_is_fenced_because_zookeeper_is_down() {
    figures(
        "zk-down-fence",
        &[("lost", 0.0), ("fences", 0.0), ("writes_refused", 0.0), ("changes_of_primary", 0.0)],
    );
}
