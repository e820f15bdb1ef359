//! When a server becomes fit to lead and when it stops being so.

use std::time::Duration;

use capitana_core::health::{Change, Event, Health, Reading, Reason, Rules, Unfit};
use proptest::prelude::*;

const RULES: Rules = Rules::DEFAULT;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn synced() -> Reading {
    with("wsrep_ready", "ON")
}

/// A reading to which nothing can be objected, but for one value.
fn with(name: &str, value: &str) -> Reading {
    let good = [
        ("wsrep_ready", "ON"),
        ("wsrep_cluster_status", "Primary"),
        ("wsrep_local_state", "4"),
        ("wsrep_local_state_comment", "Synced"),
        ("wsrep_on", "ON"),
        ("wsrep_desync", "OFF"),
        ("wsrep_reject_queries", "NONE"),
        ("read_only", "OFF"),
    ];
    let rows = good.into_iter().chain([(name, value)]);
    Reading::parse(rows.map(|(n, v)| (n.to_owned(), v.to_owned())))
}

fn polled(reading: Reading, seconds: u64) -> Event {
    Event::Polled { reading, asked: at(seconds) }
}

fn slow() -> Event {
    Event::PollFailed("no answer within 1s".into())
}

/// A server that has been fit since second 2.
fn fit() -> Health {
    let mut health = Health::new(RULES, at(0));
    health.on(polled(synced(), 1), at(1));
    assert_eq!(health.on(polled(synced(), 2), at(2)), Change::BecameFit);
    health
}

#[test]
fn a_server_is_not_fit_before_it_has_passed_rise_checks() {
    let mut health = Health::new(RULES, at(0));
    assert_eq!(health.verdict().reason, Reason::Unfit(Unfit::NotChecked));
    assert_eq!(health.on(polled(synced(), 1), at(1)), Change::None);
    assert!(!health.verdict().fit);
    assert_eq!(
        health.verdict().reason.to_string(),
        "1 of 2 checks passed; before that: the server has passed no check yet"
    );
    assert_eq!(health.on(polled(synced(), 2), at(2)), Change::BecameFit);
    assert_eq!(health.verdict().since, at(2));
}

#[test]
fn a_check_that_does_not_pass_starts_the_count_of_passed_ones_anew() {
    let mut health = Health::new(RULES, at(0));
    health.on(polled(synced(), 1), at(1));
    health.on(slow(), at(2));
    assert_eq!(health.on(polled(synced(), 3), at(3)), Change::None);
    assert_eq!(health.on(polled(synced(), 4), at(4)), Change::BecameFit);
}

#[test]
fn one_failed_check_is_not_a_verdict() {
    let mut health = fit();
    assert_eq!(health.on(slow(), at(3)), Change::None);
    assert!(health.verdict().fit);
    assert_eq!(
        health.verdict().reason.to_string(),
        "still fit, check 1 of 2: the server cannot be checked: no answer within 1s"
    );
    assert_eq!(health.on(polled(synced(), 4), at(4)), Change::None);
    assert_eq!(health.on(slow(), at(5)), Change::None);
    assert!(health.verdict().fit);
    assert_eq!(health.verdict().since, at(2));
}

#[test]
fn fall_failed_checks_in_a_row_make_a_server_unfit() {
    let mut health = fit();
    health.on(slow(), at(3));
    let change = health.on(slow(), at(4));
    assert_eq!(change, Change::BecameUnfit(Unfit::CheckFailed("no answer within 1s".into())));
    assert_eq!(health.verdict().since, at(4));
}

#[test]
fn a_crash_makes_a_server_unfit_at_once() {
    let mut health = fit();
    let change = health.on(Event::Crashed("connection refused".into()), at(3));
    assert_eq!(change, Change::BecameUnfit(Unfit::Crashed("connection refused".into())));
}

#[test]
fn a_check_sent_before_the_crash_does_not_count() {
    let mut health = Health::new(Rules { rise: 1, ..RULES }, at(0));
    health.on(polled(synced(), 1), at(1));
    health.on(Event::Crashed("connection refused".into()), at(3));
    assert_eq!(health.on(polled(synced(), 2), at(4)), Change::None);
    assert!(!health.verdict().fit);
}

#[test]
fn failed_checks_after_a_crash_do_not_hide_that_it_was_one() {
    let mut health = fit();
    health.on(Event::Crashed("connection refused".into()), at(3));
    health.on(slow(), at(4));
    assert_eq!(health.verdict().reason, Reason::Unfit(Unfit::Crashed("connection refused".into())));
}

#[test]
fn a_server_that_answers_again_still_has_to_pass_rise_checks() {
    let mut health = fit();
    health.on(Event::Crashed("connection refused".into()), at(3));
    assert_eq!(health.on(Event::Answered, at(9)), Change::None);
    assert_eq!(health.verdict().reason, Reason::Unfit(Unfit::NotChecked));
    assert_eq!(health.on(polled(synced(), 10), at(10)), Change::None);
    assert_eq!(health.on(polled(synced(), 11), at(11)), Change::BecameFit);
}

#[test]
fn a_connection_that_opens_again_leaves_a_fit_server_fit() {
    let mut health = fit();
    health.on(Event::Answered, at(3));
    assert!(health.verdict().fit);
    assert_eq!(health.verdict().reason, Reason::Passed);
}

#[test]
fn what_the_server_states_definitely_makes_it_unfit_at_once() {
    for (name, value, label) in [
        ("wsrep_cluster_status", "non-Primary", "not-primary"),
        ("wsrep_cluster_status", "Disconnected", "not-primary"),
        ("wsrep_ready", "OFF", "not-ready"),
        ("wsrep_on", "OFF", "not-replicating"),
        ("wsrep_reject_queries", "ALL", "rejects-queries"),
        ("wsrep_reject_queries", "ALL_KILL", "rejects-queries"),
        ("read_only", "ON", "read-only"),
    ] {
        match fit().on(polled(with(name, value), 3), at(3)) {
            Change::BecameUnfit(unfit) => assert_eq!(unfit.label(), label, "{name} = {value}"),
            other => panic!("{name} = {value}: {other:?}"),
        }
    }
}

#[test]
fn states_that_a_backup_passes_through_must_repeat() {
    for (name, value) in [("wsrep_local_state", "2"), ("wsrep_local_state", "1"), ("wsrep_desync", "ON")] {
        let mut health = fit();
        assert_eq!(health.on(polled(with(name, value), 3), at(3)), Change::None);
        assert!(matches!(health.on(polled(with(name, value), 4), at(4)), Change::BecameUnfit(_)));
    }
}

#[test]
fn a_donor_passes_only_where_the_rules_say_so() {
    let donor = Reading { wsrep_local_state: Some("2".into()), wsrep_desync: Some("ON".into()), ..synced() };
    assert_eq!(donor.objection(true), None);
    assert!(matches!(donor.objection(false), Some(Unfit::NotSynced(_))));
}

#[test]
fn a_desynchronised_node_that_is_no_donor_does_not_pass_even_where_donors_do() {
    assert_eq!(with("wsrep_desync", "ON").objection(true), Some(Unfit::Desynced));
}

#[test]
fn a_server_that_does_not_name_a_value_does_not_pass() {
    assert!(Reading::default().objection(true).is_some());
    let no_galera = Reading { wsrep_on: None, ..synced() };
    assert_eq!(
        no_galera.objection(false).map(|unfit| unfit.to_string()),
        Some("the server does not replicate: wsrep_on is not known to the server, not ON".into())
    );
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(polled(synced(), 0)),
        2 => Just(slow()),
        1 => Just(polled(with("wsrep_local_state", "2"), 0)),
        1 => Just(polled(with("read_only", "ON"), 0)),
        1 => Just(Event::Crashed("connection refused".into())),
        1 => Just(Event::Answered),
    ]
}

/// Whether this event can only speak for the server, and counts as a check.
fn passes(event: &Event) -> bool {
    matches!(event, Event::Polled { reading, .. } if reading.objection(false).is_none())
}

#[test]
fn other_rules_hold_from_the_next_event_on_and_what_was_counted_counts() {
    let mut health = Health::new(Rules { rise: 10, ..RULES }, at(0));
    for second in 1..4 {
        assert_eq!(health.on(polled(synced(), second), at(second)), Change::None);
    }
    health.follow(Rules { rise: 4, ..RULES });
    assert!(!health.verdict().fit);
    assert_eq!(health.on(polled(synced(), 4), at(4)), Change::BecameFit);
    health.follow(Rules { fall: 1, ..RULES });
    assert!(matches!(health.on(slow(), at(5)), Change::BecameUnfit(_)));
}

proptest! {
    #[test]
    fn a_server_is_fit_only_after_rise_passed_checks_and_for_fewer_than_fall_bad_ones(
        fall in 1u32..4, rise in 1u32..4, history in prop::collection::vec(events(), 0..60),
    ) {
        let mut health = Health::new(Rules { fall, rise, ..RULES }, at(0));
        let mut seen: Vec<Event> = Vec::new();
        for (second, event) in (1..).zip(history) {
            let was_fit = health.verdict().fit;
            let event = match event {
                Event::Polled { reading, .. } => polled(reading, second),
                other => other,
            };
            let change = health.on(event.clone(), at(second));
            if event != Event::Answered {
                seen.push(event);
            }
            let good = seen.iter().rev().take_while(|e| passes(e)).count();
            let bad = seen.iter().rev().take_while(|e| !passes(e)).count();
            match change {
                Change::BecameFit => prop_assert!(!was_fit && good >= rise as usize),
                Change::BecameUnfit(_) => prop_assert!(was_fit && !health.verdict().fit),
                Change::None => prop_assert_eq!(was_fit, health.verdict().fit),
            }
            prop_assert!(!(health.verdict().fit && bad >= fall as usize));
            prop_assert!(health.verdict().fit || good < rise as usize);
            if health.verdict().fit {
                prop_assert_ne!(seen.last(), Some(&Event::Crashed("connection refused".into())));
            }
        }
    }
}
