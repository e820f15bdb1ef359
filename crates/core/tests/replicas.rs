//! Who serves reads, and since when those are drained that do not any more.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::time::Duration;

use capitana_core::replicas::{Departures, Reason, Replicas, Rules, Serving};
use capitana_core::{Epoch, HostPort, Member, Route};

const RULES: Rules = Rules { max_lag: Some(100), fallback: true };

fn server(name: &str) -> HostPort {
    HostPort::new(name, 3306).unwrap()
}

fn member(name: &str, epoch: i64) -> Member {
    Member {
        name: format!("node-{epoch:010}"),
        upstream: server(name),
        epoch: Epoch(epoch),
        node: None,
        weight: 100,
        lag: Some(0),
    }
}

fn lagging(name: &str, epoch: i64, lag: u64) -> Member {
    Member { lag: Some(lag), ..member(name, epoch) }
}

/// The route to the first of them.
fn first(members: &[Member]) -> Option<Route> {
    members.first().map(|member| Route { epoch: member.epoch, upstream: member.upstream.clone() })
}

fn serving(members: &[Member], rules: Rules) -> Serving {
    Replicas::default().serving(members, first(members).as_ref(), rules)
}

fn names(serving: &Serving) -> Vec<&str> {
    serving.members.iter().map(|replica| replica.route.upstream.host()).collect()
}

#[test]
fn every_member_but_the_primary_serves() {
    let serving = serving(&[member("a", 1), member("b", 2), member("c", 3)], RULES);
    assert_eq!(names(&serving), ["b", "c"]);
    assert!(!serving.by_fallback);
    assert_eq!(serving.aside[0].reason, Reason::Primary);
}

#[test]
fn the_primary_is_who_is_followed_and_not_who_is_first() {
    let members = [member("a", 1), member("b", 2)];
    let serving = Replicas::default().serving(&members, first(&members[1..]).as_ref(), RULES);
    assert_eq!(names(&serving), ["a"]);
}

#[test]
fn another_znode_of_the_primary_does_not_make_it_a_replica() {
    let serving = serving(&[member("a", 1), member("b", 2), member("a", 3)], RULES);
    assert_eq!(names(&serving), ["b"]);
}

#[test]
fn a_server_with_two_znodes_serves_once() {
    let serving = serving(&[member("a", 1), member("b", 2), member("b", 3)], RULES);
    assert_eq!(names(&serving), ["b"]);
    assert_eq!(serving.aside[1].reason, Reason::Doubled);
}

#[test]
fn a_member_of_weight_0_serves_nobody() {
    let idle = Member { weight: 0, ..member("b", 2) };
    let serving = serving(&[member("a", 1), idle, member("c", 3)], RULES);
    assert_eq!(names(&serving), ["c"]);
    assert_eq!(serving.aside[1].reason, Reason::NoWeight);
}

#[test]
fn without_a_replica_the_primary_serves_if_it_may() {
    let members = [member("a", 1)];
    let by_fallback = serving(&members, RULES);
    assert_eq!((names(&by_fallback), by_fallback.by_fallback), (vec!["a"], true));
    let nobody = serving(&members, Rules { fallback: false, ..RULES });
    assert_eq!(names(&nobody), [""; 0]);
    assert!(nobody.why_nobody().unwrap().contains("replica-fallback"));
    assert_eq!(serving(&[], RULES).why_nobody().unwrap(), "no server is registered in the election");
}

#[test]
fn a_member_over_the_limit_serves_again_when_it_is_down_to_half_of_it() {
    let mut replicas = Replicas::default();
    let mut serves = |lag| {
        let members = [member("a", 1), lagging("b", 2, lag), member("c", 3)];
        names(&replicas.serving(&members, first(&members).as_ref(), RULES)).contains(&"b")
    };
    let steps = [(100, true), (101, false), (51, false), (50, true), (100, true), (0, true), (5000, false)];
    for (lag, expected) in steps {
        assert_eq!(serves(lag), expected, "at {lag}");
    }
}

#[test]
fn without_a_limit_and_without_word_of_its_queue_a_member_does_not_lag() {
    let silent = Member { lag: None, ..member("b", 2) };
    assert_eq!(names(&serving(&[member("a", 1), silent], RULES)), ["b"]);
    let members = [member("a", 1), lagging("b", 2, u64::MAX)];
    assert_eq!(names(&serving(&members, Rules { max_lag: None, ..RULES })), ["b"]);
}

#[test]
fn where_every_replica_lags_the_primary_stands_in() {
    let serving = serving(&[member("a", 1), lagging("b", 2, 101), lagging("c", 3, 500)], RULES);
    assert_eq!((names(&serving), serving.by_fallback), (vec!["a"], true));
}

#[test]
fn sessions_stay_on_a_member_that_serves_or_when_nobody_does() {
    let some = serving(&[member("a", 1), member("b", 2)], RULES);
    assert!(some.keeps(&server("b")) && !some.keeps(&server("a")) && !some.keeps(&server("gone")));
    let nobody = serving(&[], RULES);
    assert!(nobody.keeps(&server("b")));
}

#[test]
fn a_member_that_registers_anew_is_the_same_server() {
    let before = serving(&[member("a", 1), member("b", 2)], RULES);
    let after = serving(&[member("a", 1), member("b", 9)], RULES);
    assert!(before.keeps(&server("b")) && after.keeps(&server("b")));
    assert_eq!(after.route_to(&server("b")).unwrap().epoch, Epoch(9));
}

#[test]
fn each_server_has_the_whole_time_to_be_drained_and_one_that_came_back_has_it_again() {
    let (mut departures, limit) = (Departures::default(), Duration::from_secs(30));
    let at = Duration::from_secs;
    departures.see([server("a")], at(0));
    departures.see([server("a"), server("b")], at(20));
    assert_eq!(departures.overdue(limit, at(30)).collect::<Vec<_>>(), [&server("a")]);
    departures.see([server("b")], at(31));
    departures.see([server("a"), server("b")], at(40));
    assert_eq!(departures.overdue(limit, at(55)).collect::<Vec<_>>(), [&server("b")]);
}
