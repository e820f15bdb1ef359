//! Whose a fence is, and when it is lifted.

use capitana_core::fence::{Due, Event};

use super::{at, back, fence, fenced, one, seen};

#[test]
fn a_fence_is_lifted_when_the_lease_is_held_again_and_not_by_an_old_answer() {
    let mut fence = fenced();
    assert_eq!(fence.due(&back(1.0), at(5.0)), Due::Nothing);
    assert_eq!(fence.due(&back(7.0), at(7.1)), Due::Lift);
    assert_eq!(fence.due(&back(7.0), at(7.2)), Due::Nothing);
    fence.on(Event::Lifted);
    assert_eq!(fence.due(&back(7.0), at(7.3)), Due::Nothing);
    assert_eq!(fence.why(), None);
}

#[test]
fn a_fence_that_could_not_be_lifted_is_lifted_again() {
    let mut fence = fenced();
    assert_eq!(fence.due(&back(7.0), at(7.1)), Due::Lift);
    fence.on(Event::LiftFailed);
    assert!(fence.is_set());
    assert_eq!(fence.due(&back(7.0), at(7.2)), Due::Lift);
}

#[test]
fn a_fence_that_somebody_else_has_set_is_never_lifted() {
    let mut fence = fence();
    fence.due(&seen(one(3.5, true)), at(4.0));
    fence.on(Event::FoundSet);
    assert_eq!(fence.why(), None);
    assert_eq!(fence.due(&back(7.0), at(7.1)), Due::Nothing);
}

#[test]
fn a_fence_that_may_be_set_is_set_again_as_ours_and_lifted_on_return() {
    let (mut fence, round) = (fence(), one(3.5, true));
    fence.due(&seen(round), at(4.0));
    fence.on(Event::SetFailed);
    assert!(!fence.is_set());
    assert!(matches!(fence.due(&seen(round), at(4.1)), Due::Set { again: true, .. }));
    fence.on(Event::SetFailed);
    assert_eq!(fence.due(&back(7.0), at(7.1)), Due::Lift);
}

#[test]
fn a_server_that_was_not_reached_has_no_fence_of_ours_to_lift() {
    let (mut fence, round) = (fence(), one(3.5, true));
    fence.due(&seen(round), at(4.0));
    fence.on(Event::NotBegun);
    assert_eq!(fence.why(), None);
    assert!(matches!(fence.due(&seen(round), at(4.1)), Due::Set { again: false, .. }));
    fence.on(Event::NotBegun);
    assert_eq!(fence.due(&back(7.0), at(7.1)), Due::Nothing);
}

#[test]
fn a_server_that_is_not_reached_any_more_may_have_a_fence_of_an_attempt_before() {
    let (mut fence, round) = (fence(), one(3.5, true));
    fence.due(&seen(round), at(4.0));
    fence.on(Event::SetFailed);
    fence.due(&seen(round), at(4.1));
    fence.on(Event::NotBegun);
    assert!(matches!(fence.due(&seen(round), at(4.2)), Due::Set { again: true, .. }));
    fence.on(Event::NotBegun);
    assert_eq!(fence.due(&back(7.0), at(7.1)), Due::Lift);
}

#[test]
fn a_fence_that_is_gone_when_it_should_be_lifted_is_not_lifted_again() {
    let mut fence = fenced();
    assert_eq!(fence.due(&back(7.0), at(7.1)), Due::Lift);
    fence.on(Event::Vanished);
    assert_eq!((fence.why(), fence.due(&back(7.2), at(7.3))), (None, Due::Nothing));
}

#[test]
fn a_fence_that_was_taken_for_somebody_elses_is_lifted_once_it_is_known_as_ours() {
    let mut fence = fence();
    fence.due(&seen(one(3.5, true)), at(4.0));
    fence.on(Event::FoundSet);
    fence.on(Event::Remembered);
    assert_eq!(fence.due(&back(7.0), at(7.1)), Due::Lift);
}

#[test]
fn a_fence_of_an_earlier_run_of_the_agent_is_lifted_when_it_has_a_lease() {
    let mut fence = fence();
    fence.on(Event::Remembered);
    assert_eq!(fence.due(&back(7.0), at(7.1)), Due::Lift);
}

#[test]
fn a_server_that_was_restarted_while_it_was_fenced_is_fenced_again() {
    let mut fence = fenced();
    fence.on(Event::Vanished);
    assert!(matches!(fence.due(&seen(one(4.9, true)), at(5.0)), Due::Set { again: false, .. }));
}
