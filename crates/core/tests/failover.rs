//! What the record of failovers says, one behaviour a test.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::time::Duration;

use capitana_core::failover::{BarrierEnd, EndedBy, Failover, Moment, Step};
use capitana_core::timeline::{REMEMBERED, Timeline};
use capitana_core::{EndReason, Epoch, Route};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn at(clock: u64) -> Moment {
    Moment { clock: ms(clock), unix_ms: 1_000_000 + clock }
}

fn route(epoch: i64) -> Route {
    Route { epoch: Epoch(epoch), upstream: format!("db{epoch}").parse().unwrap() }
}

/// Follows epoch 1.
fn following() -> Timeline {
    let mut timeline = Timeline::default();
    timeline.elected(route(1), at(0));
    timeline
}

/// Epoch 1 was lost at 10 s, and epoch 2 elected 5 ms later.
fn failed_over() -> Timeline {
    let mut timeline = following();
    timeline.lost(EndedBy::ZnodeGone, at(10_000));
    timeline.elected(route(2), at(10_005));
    timeline
}

fn last(timeline: &Timeline) -> &Failover {
    timeline.failovers().last().unwrap()
}

#[test]
fn the_first_primary_is_no_failover() {
    assert_eq!(following().failovers().count(), 0);
}

#[test]
fn steps_are_measured_from_the_end_of_the_old_epoch() {
    let mut timeline = failed_over();
    timeline.reached(Epoch(2), Step::BarrierBegun, ms(10_006));
    timeline.barrier_ended(Epoch(2), BarrierEnd::Passed, ms(10_008));
    timeline.swapped(Epoch(2), 3, at(10_009));
    timeline.reached(Epoch(2), Step::FirstDial, ms(10_010));
    timeline.reached(Epoch(2), Step::FirstByte, ms(10_012));
    timeline.reached(Epoch(2), Step::FirstSession, ms(10_015));
    let failover = last(&timeline);
    let steps = failover.steps_ms;
    assert_eq!((steps.elected, steps.barrier_begun), (Some(ms(5)), Some(ms(6))));
    assert_eq!((steps.barrier_ended, steps.swapped), (Some(ms(8)), Some(ms(9))));
    assert_eq!((steps.first_dial, steps.first_byte), (Some(ms(10)), Some(ms(12))));
    assert_eq!((steps.first_session, steps.last_old_session_gone), (Some(ms(15)), None));
    assert_eq!((failover.detected_at_ms, failover.at_ms), (1_010_000, 1_010_009));
    assert_eq!((failover.without_primary_ms, failover.waiting), (9, 3));
}

#[test]
fn only_the_first_time_of_a_step_counts() {
    let mut timeline = failed_over();
    timeline.reached(Epoch(2), Step::FirstDial, ms(10_010));
    timeline.reached(Epoch(2), Step::FirstDial, ms(10_020));
    assert_eq!(last(&timeline).steps_ms.first_dial, Some(ms(10)));
}

#[test]
fn sessions_that_the_server_ended_shortly_before_count_as_ended_by_the_failover() {
    let mut timeline = following();
    timeline.session_ended(Epoch(1), EndReason::UpstreamClosed, ms(9_998));
    timeline.session_ended(Epoch(1), EndReason::ClientClosed, ms(9_999));
    timeline.lost(EndedBy::ZnodeGone, at(10_000));
    timeline.elected(route(2), at(10_000));
    let ended: Vec<_> = last(&timeline).sessions_ended.clone().into_iter().collect();
    assert_eq!(ended, [("upstream-closed", 1)]);
}

#[test]
fn sessions_that_the_server_ended_long_before_do_not() {
    let mut timeline = following();
    timeline.session_ended(Epoch(1), EndReason::UpstreamClosed, ms(1_000));
    timeline.lost(EndedBy::ZnodeGone, at(60_000));
    timeline.elected(route(2), at(60_000));
    assert!(last(&timeline).sessions_ended.is_empty());
}

#[test]
fn sessions_of_the_old_epoch_are_counted_by_reason_while_there_is_no_primary_and_after() {
    let mut timeline = following();
    timeline.lost(EndedBy::ZnodeUnusable, at(10_000));
    timeline.session_ended(Epoch(1), EndReason::ClientClosed, ms(10_001));
    timeline.elected(route(2), at(10_005));
    timeline.session_ended(Epoch(1), EndReason::Drained, ms(10_100));
    timeline.session_ended(Epoch(1), EndReason::Drained, ms(10_101));
    timeline.session_ended(Epoch(2), EndReason::ClientClosed, ms(10_102));
    let ended: Vec<_> = last(&timeline).sessions_ended.clone().into_iter().collect();
    assert_eq!(ended, [("client-closed", 1), ("drained", 2)]);
    assert_eq!(last(&timeline).ended_by, EndedBy::ZnodeUnusable);
}

#[test]
fn a_failover_is_over_when_the_old_sessions_are_gone_and_the_new_primary_is_open() {
    let mut timeline = failed_over();
    timeline.drained(Epoch(2), ms(10_010));
    assert!(!last(&timeline).is_over());
    timeline.swapped(Epoch(2), 0, at(10_020));
    assert!(last(&timeline).is_over());
}

#[test]
fn a_primary_that_is_replaced_before_it_opens_is_superseded() {
    let mut timeline = failed_over();
    timeline.lost(EndedBy::ZnodeGone, at(10_030));
    timeline.elected(route(3), at(10_030));
    timeline.drained(Epoch(3), ms(10_040));
    let superseded: Vec<_> = timeline.failovers().map(|f| (f.superseded, f.is_over())).collect();
    assert_eq!(superseded, [(true, true), (false, false)]);
}

#[test]
fn a_failover_lasts_until_the_first_byte() {
    let mut timeline = failed_over();
    timeline.swapped(Epoch(2), 1, at(10_020));
    assert_eq!(last(&timeline).duration(), None);
    timeline.reached(Epoch(2), Step::FirstDial, ms(10_021));
    timeline.reached(Epoch(2), Step::FirstByte, ms(10_025));
    assert_eq!(last(&timeline).duration(), Some(ms(25)));
}

#[test]
fn the_time_in_which_nobody_came_is_no_part_of_a_failover() {
    let mut timeline = failed_over();
    timeline.swapped(Epoch(2), 0, at(10_020));
    timeline.reached(Epoch(2), Step::FirstDial, ms(99_000));
    timeline.reached(Epoch(2), Step::FirstByte, ms(99_004));
    assert_eq!(last(&timeline).duration(), Some(ms(24)));
}

#[test]
fn the_oldest_failovers_are_forgotten() {
    let mut timeline = following();
    for epoch in 2..50 {
        timeline.lost(EndedBy::ZnodeGone, at(epoch * 1000));
        timeline.elected(route(epoch as i64), at(epoch * 1000));
    }
    assert_eq!(timeline.failovers().count(), REMEMBERED);
    assert_eq!(last(&timeline).to.epoch, Epoch(49));
    assert!(timeline.failover(Epoch(2)).is_none());
}

#[test]
fn the_record_reads_as_milliseconds() {
    let mut timeline = failed_over();
    timeline.reached(Epoch(2), Step::FirstDial, Duration::from_micros(10_010_250));
    let json = serde_json::to_value(last(&timeline)).unwrap();
    assert_eq!(json["steps_ms"]["first_dial"], 10.25);
    assert_eq!(json["steps_ms"]["swapped"], serde_json::Value::Null);
    assert_eq!(json["from"]["epoch"], 1);
    assert_eq!(json["ended_by"], "znode-gone");
}
