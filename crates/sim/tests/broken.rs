//! The simulator notices each rule that is broken on purpose, and by what must hold because of it.

#![allow(clippy::panic, reason = "a test may panic, in its helpers too")]

use capitana_sim::batch;
use capitana_sim::rule::Broken;

/// Systems in which a broken rule has to show.
const SEEDS: u64 = 20_000;

/// All seeds before the lowest that fails have been run, so that one is the same each time.
#[track_caller]
fn is_noticed(broken: Broken, invariant: &str) {
    let summary = batch::run(0..SEEDS, Some(broken), batch::cores(), Some(1));
    let Some((seed, violation)) = summary.failures.first() else {
        panic!("{broken:?} shows in none of {SEEDS} systems");
    };
    assert_eq!(violation.invariant, invariant, "{broken:?}, seed {seed}: {violation}");
}

#[test]
fn a_proxy_that_forgets_its_epochs_follows_an_older_one() {
    is_noticed(Broken::ForgetsEpochs, "epochs_only_grow");
}

#[test]
fn a_proxy_that_believes_old_readings_uses_one() {
    is_noticed(Broken::BelievesStaleReadings, "older_readings_change_nothing");
}

#[test]
fn a_proxy_that_sorts_by_names_does_not_follow_the_primary() {
    is_noticed(Broken::SortsByName, "up_to_date_proxies_agree");
}

#[test]
fn a_proxy_that_does_not_read_again_never_finds_the_primary() {
    is_noticed(Broken::DoesNotReread, "settled");
}

#[test]
fn an_agent_that_does_not_sync_registers_twice() {
    is_noticed(Broken::DoesNotSync, "a_node_has_one_znode");
}

#[test]
fn an_agent_that_leaves_its_ghosts_registers_twice() {
    is_noticed(Broken::LeavesGhosts, "a_node_has_one_znode");
}

#[test]
fn an_agent_that_takes_silence_for_a_refusal_registers_twice() {
    is_noticed(Broken::TrustsSilence, "a_node_has_one_znode");
}

#[test]
fn an_agent_that_trusts_old_verdicts_registers_on_one() {
    is_noticed(Broken::TrustsOldVerdicts, "nobody_registers_on_old_news");
}

#[test]
fn a_server_that_is_fenced_late_takes_writes_when_its_session_is_over() {
    is_noticed(Broken::FencesLate, "a_primary_is_fenced_before_its_session_ends");
}

#[test]
fn a_server_whose_agent_does_not_know_of_its_znode_takes_writes_when_its_session_is_over() {
    is_noticed(Broken::FencesOnlyWhatItKnows, "a_primary_is_fenced_before_its_session_ends");
}

#[test]
fn a_server_is_fenced_for_nothing_by_an_agent_that_asks_nobody() {
    is_noticed(Broken::FencesAlone, "nobody_is_fenced_because_zookeeper_is_down");
}
