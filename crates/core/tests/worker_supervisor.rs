//! What is done with a worker's command as its turn, the lease and the command itself come and go.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::time::Duration;

use capitana_core::Epoch;
use capitana_core::candidacy::Wish;
use capitana_core::lease::Lease;
use capitana_core::worker::{End, Exit, Order, Policy, Restart, Rules, Supervisor};

const T: Duration = Duration::from_secs(6);
const GRACE: Duration = Duration::from_secs(10);
const TOKEN: Epoch = Epoch(7);

fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn lease(renewed: f64) -> Lease {
    let mut lease = Lease::new();
    lease.renew(s(renewed), T);
    lease
}

fn supervisor(restart: Restart, give_up_after: Option<u32>, once: bool) -> Supervisor {
    Supervisor::new(Rules { policy: Policy::new(restart, give_up_after, 1), grace: GRACE, once })
}

/// One whose command runs since 100 s, with a lease of that moment.
fn running(once: bool) -> Supervisor {
    let mut supervisor = supervisor(Restart::Always, None, once);
    supervisor.on_turn(Some(TOKEN), lease(100.0));
    assert!(matches!(supervisor.order(s(100.0)), Some(Order::Start(TOKEN, _))));
    assert_eq!(supervisor.order(s(100.0)), None);
    supervisor
}

#[test]
fn a_command_starts_only_in_its_turn_and_under_a_lease_that_is_held() {
    let mut supervisor = supervisor(Restart::Always, None, false);
    assert_eq!(supervisor.wish(), Wish::Register);
    supervisor.on_turn(None, lease(100.0));
    assert_eq!(supervisor.order(s(100.0)), None);
    supervisor.on_turn(Some(TOKEN), Lease::new());
    assert_eq!(supervisor.order(s(100.0)), None);
    supervisor.on_turn(Some(TOKEN), lease(97.0));
    assert_eq!(supervisor.order(s(100.0)), None);
    supervisor.on_turn(Some(TOKEN), lease(99.0));
    assert!(matches!(supervisor.order(s(100.0)), Some(Order::Start(TOKEN, _))));
}

#[test]
fn who_waits_for_its_turn_is_woken_by_that_and_not_by_the_clock() {
    let mut supervisor = supervisor(Restart::Always, None, false);
    supervisor.on_turn(None, lease(100.0));
    assert_eq!(supervisor.order(s(100.0)), None);
    assert_eq!(supervisor.wake_at(s(100.0)), None);
}

#[test]
fn without_news_of_zookeeper_a_command_is_asked_to_end_and_then_killed_before_the_session_can_expire() {
    let mut supervisor = running(false);
    assert_eq!(supervisor.wake_at(s(100.0)), Some(s(103.0)));
    assert_eq!(supervisor.order(s(102.9)), None);
    assert_eq!(supervisor.order(s(103.0)), Some(Order::End(GRACE)));
    assert_eq!(supervisor.wake_at(s(103.0)), Some(s(103.7)));
    assert_eq!(supervisor.order(s(103.6)), None);
    assert_eq!(supervisor.order(s(103.7)), Some(Order::Kill));
    assert_eq!(supervisor.order(s(104.0)), None);
}

#[test]
fn a_command_that_was_ended_in_doubt_starts_again_when_the_turn_is_still_its_own() {
    let mut supervisor = running(false);
    assert_eq!(supervisor.order(s(103.2)), Some(Order::End(GRACE)));
    supervisor.on_turn(Some(TOKEN), lease(103.3));
    assert_eq!(supervisor.order(s(103.9)), None);
    supervisor.on_ended(Exit::Signal(15), s(104.0));
    assert!(matches!(supervisor.order(s(104.0)), Some(Order::Start(TOKEN, _))));
}

#[test]
fn a_command_whose_turn_is_lost_is_killed_at_once() {
    for turn in [None, Some(Epoch(9))] {
        let mut supervisor = running(false);
        supervisor.on_turn(turn, lease(100.5));
        assert_eq!(supervisor.order(s(100.6)), Some(Order::Kill));
    }
}

#[test]
fn the_place_is_kept_until_nothing_of_the_command_is_left() {
    let mut supervisor = running(false);
    supervisor.on_stop();
    assert_eq!(supervisor.order(s(101.0)), Some(Order::End(GRACE)));
    assert_eq!((supervisor.wish(), supervisor.end_of_all()), (Wish::Keep, None));
    supervisor.on_ended(Exit::Code(0), s(102.0));
    assert_eq!(supervisor.order(s(102.0)), None);
    assert_eq!((supervisor.wish(), supervisor.end_of_all()), (Wish::Withdraw, Some(End::Stopped)));
}

#[test]
fn who_is_asked_to_stop_twice_does_not_wait_for_the_command() {
    let mut supervisor = running(false);
    supervisor.on_stop();
    assert_eq!(supervisor.order(s(101.0)), Some(Order::End(GRACE)));
    supervisor.on_stop();
    assert_eq!(supervisor.order(s(101.1)), Some(Order::Kill));
}

#[test]
fn a_command_that_is_asked_to_stop_has_its_grace_while_zookeeper_answers_and_the_turn_is_its_own() {
    let mut supervisor = running(false);
    assert!(supervisor.lasts_with_the_lease());
    supervisor.on_stop();
    assert_eq!(supervisor.order(s(101.0)), Some(Order::End(GRACE)));
    for now in [103.5, 106.0, 109.0] {
        supervisor.on_turn(Some(TOKEN), lease(now));
        assert_eq!(supervisor.order(s(now)), None);
        assert!(supervisor.lasts_with_the_lease(), "at {now}");
    }
    supervisor.on_turn(None, lease(109.5));
    assert!(!supervisor.lasts_with_the_lease(), "the lease may be that of another session");
    assert_eq!(supervisor.order(s(109.5)), Some(Order::Kill));
    supervisor.on_turn(Some(TOKEN), lease(109.6));
    assert!(!supervisor.lasts_with_the_lease(), "it is to be dead");
}

#[test]
fn a_command_that_is_ended_in_doubt_is_allowed_no_more_time_by_what_zookeeper_says_then() {
    let mut supervisor = running(false);
    assert_eq!(supervisor.order(s(103.2)), Some(Order::End(GRACE)));
    supervisor.on_turn(Some(TOKEN), lease(103.3));
    assert!(!supervisor.lasts_with_the_lease());
}

#[test]
fn a_command_is_run_again_after_pauses_that_grow_and_not_before() {
    let mut supervisor = running(false);
    let (mut now, mut last) = (s(101.0), Duration::ZERO);
    for _ in 0..4 {
        supervisor.on_ended(Exit::Code(1), now);
        let from = supervisor.wake_at(now).unwrap();
        assert!(from - now > last, "{:?} after {last:?}", from - now);
        last = from - now;
        supervisor.on_turn(Some(TOKEN), lease(from.as_secs_f64()));
        assert_eq!(supervisor.order(from - s(0.01)), None);
        assert!(matches!(supervisor.order(from), Some(Order::Start(..))));
        now = from + s(1.0);
    }
}

/// One whose command runs since 100 s, and that gives its place up after so many failures.
fn leaving_after(failures: u32) -> Supervisor {
    let mut supervisor = supervisor(Restart::OnFailure, Some(failures), false);
    supervisor.on_turn(Some(TOKEN), lease(100.0));
    assert!(matches!(supervisor.order(s(100.0)), Some(Order::Start(..))));
    supervisor
}

/// One whose command has failed for the last time at 100.1 s and gives its place up.
fn leaving() -> Supervisor {
    let mut supervisor = leaving_after(1);
    supervisor.on_ended(Exit::Code(1), s(100.1));
    supervisor
}

#[test]
fn after_so_many_failures_in_a_row_another_host_has_its_turn() {
    let mut supervisor = supervisor(Restart::OnFailure, Some(2), false);
    let mut now = s(100.0);
    for failure in 1..=2 {
        supervisor.on_turn(Some(TOKEN), lease(now.as_secs_f64()));
        assert!(matches!(supervisor.order(now), Some(Order::Start(..))));
        supervisor.on_ended(Exit::Code(1), now + s(0.1));
        assert_eq!(supervisor.wish() == Wish::Withdraw, failure == 2);
        now += s(60.0);
    }
    supervisor.on_turn(None, lease(now.as_secs_f64()));
    assert_eq!(supervisor.order(now), None);
    assert_eq!(supervisor.wish(), Wish::Register, "it takes a place at the end of the line");
}

#[test]
fn a_place_that_is_given_up_is_not_used_again_though_nobody_has_heard_that_it_is_gone() {
    let mut supervisor = leaving();
    for now in [s(160.0), s(161.0)] {
        supervisor.on_turn(Some(TOKEN), lease(now.as_secs_f64()));
        assert_eq!(supervisor.order(now), None);
        assert_eq!((supervisor.wish(), supervisor.wake_at(now)), (Wish::Withdraw, None));
    }
    supervisor.on_turn(None, lease(162.0));
    assert_eq!((supervisor.order(s(162.0)), supervisor.wish()), (None, Wish::Register));
}

#[test]
fn a_place_that_is_gone_is_not_taken_anew_before_the_pause_is_over() {
    let mut supervisor = leaving();
    supervisor.on_turn(None, lease(100.2));
    let until = supervisor.wake_at(s(100.2)).unwrap();
    assert_eq!((supervisor.order(until - s(0.01)), supervisor.wish()), (None, Wish::Withdraw));
    assert_eq!((supervisor.order(until), supervisor.wish()), (None, Wish::Register));
}

#[test]
fn a_command_that_has_done_what_it_should_is_not_run_again_where_only_failures_are_repeated() {
    let mut supervisor = supervisor(Restart::OnFailure, None, false);
    supervisor.on_turn(Some(TOKEN), lease(100.0));
    let _ = supervisor.order(s(100.0));
    supervisor.on_ended(Exit::Code(0), s(101.0));
    assert_eq!(supervisor.end_of_all(), Some(End::Done(Exit::Code(0))));
    assert_eq!(supervisor.wish(), Wish::Withdraw);
}

#[test]
fn what_is_run_once_ends_with_the_status_of_its_command_or_is_interrupted() {
    let mut done = running(true);
    done.on_ended(Exit::Code(3), s(101.0));
    assert_eq!(done.end_of_all(), Some(End::Done(Exit::Code(3))));
    let mut lost = running(true);
    lost.on_turn(None, lease(100.5));
    assert_eq!(lost.order(s(101.0)), Some(Order::Kill));
    lost.on_ended(Exit::Signal(9), s(101.1));
    assert_eq!(lost.end_of_all(), Some(End::Interrupted));
}

#[test]
fn a_command_that_was_ended_while_its_worker_stood_still_has_neither_failed_nor_done_its_work() {
    let mut once = running(true);
    once.on_ended(Exit::Signal(15), s(103.0));
    assert_eq!(once.end_of_all(), Some(End::Interrupted));
    let mut patient = leaving_after(1);
    patient.on_ended(Exit::Signal(15), s(103.0));
    assert_eq!((patient.wish(), patient.end_of_all()), (Wish::Register, None));
    patient.on_turn(Some(TOKEN), lease(103.1));
    assert!(matches!(patient.order(s(103.1)), Some(Order::Start(TOKEN, _))), "without a pause");
}

#[test]
fn a_command_that_ends_when_its_turn_is_lost_has_neither_failed_nor_done_its_work() {
    let mut once = running(true);
    once.on_turn(None, lease(100.5));
    once.on_ended(Exit::Code(0), s(100.6));
    assert_eq!(once.end_of_all(), Some(End::Interrupted));
}

#[test]
fn a_signal_is_told_as_a_shell_tells_it() {
    assert_eq!([Exit::Code(3), Exit::Signal(9)].map(Exit::status), [3, 137]);
}
