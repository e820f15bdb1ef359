//! When a file made of the list of services is written, and when the command after it is run.

#![allow(clippy::panic, reason = "a test may panic, in its helpers too")]

use std::time::Duration;

use capitana_core::services::list::{Service, Services};
use capitana_core::services::rendering::{Action, Event, Pace, Rendering};

const INTERVAL: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_secs(3);

fn at(milliseconds: u64) -> Duration {
    Duration::from_secs(100) + Duration::from_millis(milliseconds)
}

fn list(id: &str) -> Services {
    let service = Service {
        kind: "proxy".to_owned(),
        node: "app1".to_owned(),
        addresses: Vec::new(),
        admin: None,
        version: String::new(),
        since: String::new(),
        config: None,
        id: id.to_owned(),
    };
    Services { services: vec![service], left_out: Vec::new() }
}

fn rendering(retry: Option<Duration>) -> Rendering {
    Rendering::new(Pace { interval: INTERVAL, retry })
}

/// One that has written `a` at `at(0)` and run its command.
fn after_one(retry: Option<Duration>) -> Rendering {
    let mut one = rendering(retry);
    one.on(Event::Read(list("a")), at(0));
    assert_eq!(one.next(at(0)), Action::Write(list("a")));
    one.on(Event::Written { changed: true }, at(0));
    assert_eq!(one.next(at(0)), Action::Run);
    one.on(Event::Ran, at(0));
    one
}

#[test]
fn nothing_is_written_before_a_list_was_read() {
    assert_eq!(rendering(None).next(at(0)), Action::Wait(None));
}

#[test]
fn a_list_is_written_once_and_the_command_runs_once() {
    let mut one = after_one(None);
    assert_eq!(one.next(at(60_000)), Action::Wait(None));
    one.on(Event::Read(list("a")), at(60_000));
    assert_eq!(one.next(at(60_000)), Action::Wait(None), "it is the same list");
}

#[test]
fn a_file_that_says_that_already_runs_no_command() {
    let mut one = rendering(None);
    one.on(Event::Read(list("a")), at(0));
    assert_eq!(one.next(at(0)), Action::Write(list("a")));
    one.on(Event::Written { changed: false }, at(0));
    assert_eq!(one.next(at(0)), Action::Wait(None));
}

#[test]
fn many_changes_within_the_least_interval_are_one_and_the_last_counts() {
    let mut one = after_one(None);
    for id in ["b", "c", "d"] {
        one.on(Event::Read(list(id)), at(500));
        assert_eq!(one.next(at(500)), Action::Wait(Some(at(2000))));
    }
    assert_eq!(one.next(at(2000)), Action::Write(list("d")));
}

#[test]
fn a_change_that_is_taken_back_in_time_is_none() {
    let mut one = after_one(None);
    one.on(Event::Read(list("b")), at(500));
    one.on(Event::Read(list("a")), at(600));
    assert_eq!(one.next(at(2000)), Action::Wait(None));
}

#[test]
fn a_failed_command_runs_again_only_where_that_is_wanted() {
    for (retry, action) in [(None, Action::Wait(None)), (Some(RETRY), Action::Run)] {
        let mut one = after_one(retry);
        one.on(Event::Read(list("b")), at(5000));
        assert_eq!(one.next(at(5000)), Action::Write(list("b")));
        one.on(Event::Written { changed: true }, at(5000));
        assert_eq!(one.next(at(5000)), Action::Run);
        one.on(Event::RunFailed, at(5000));
        assert_ne!(one.next(at(5000)), Action::Run);
        assert_eq!(one.next(at(5000) + RETRY), action);
    }
}

#[test]
fn a_file_that_could_not_be_made_is_made_later_of_the_list_that_then_holds() {
    let mut one = after_one(None);
    one.on(Event::Read(list("b")), at(5000));
    assert_eq!(one.next(at(5000)), Action::Write(list("b")));
    one.on(Event::Failed, at(5000));
    let Action::Wait(Some(again)) = one.next(at(5000)) else { panic!("it waits") };
    one.on(Event::Read(list("c")), at(6000));
    assert_eq!(one.next(again), Action::Write(list("c")));
}

#[test]
fn what_happens_while_something_is_under_way_waits_for_its_end() {
    let mut one = rendering(None);
    one.on(Event::Read(list("a")), at(0));
    assert_eq!(one.next(at(0)), Action::Write(list("a")));
    one.on(Event::Read(list("b")), at(9000));
    assert_eq!(one.next(at(9000)), Action::Wait(None));
    one.on(Event::Written { changed: true }, at(9000));
    assert_eq!(one.next(at(9000)), Action::Write(list("b")), "one run of the command tells of both");
}
