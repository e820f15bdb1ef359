//! When a server is fenced.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod lifting;

use std::time::Duration;

use capitana_core::fence::{Due, Event, Fence, Peers, Round, Ruling, Seen, Server, Why, WhyNot, rule};
use capitana_core::lease::Lease;

/// The session timeout.
const T: Duration = Duration::from_secs(6);

fn at(seconds: f64) -> Duration {
    Duration::from_secs_f64(1000.0 + seconds)
}

/// An agent with a znode whose last heartbeat was sent at `at(0)`.
fn seen(round: Round) -> Seen {
    let mut lease = Lease::new();
    lease.renew(at(0.0), T);
    Seen { lease, has_znode: true, others: 2, round: Some(round), server: Server::Primary }
}

/// One of the others has answered.
fn one(begun: f64, sees: bool) -> Round {
    Round { begun: at(begun), answered: 1, seeing: usize::from(sees) }
}

/// Nobody has.
fn nobody(begun: f64) -> Round {
    Round { begun: at(begun), answered: 0, seeing: 0 }
}

fn fence() -> Fence {
    Fence::new(true, at(-100.0), T)
}

/// Cut off, and fenced because another agent sees ZooKeeper.
fn fenced() -> Fence {
    let mut fence = fence();
    assert!(matches!(fence.due(&seen(one(3.5, true)), at(4.0)), Due::Set { .. }));
    fence.on(Event::Set);
    fence
}

/// The same after a heartbeat at `seconds`.
fn back(seconds: f64) -> Seen {
    let mut back = seen(nobody(3.5));
    back.lease.renew(at(seconds), T);
    back
}

/// Whether the others are to be asked, after what is due is known.
fn asks(fence: &mut Fence, seen: &Seen, now: Duration) -> bool {
    fence.due(seen, now);
    fence.asks(seen, now)
}

#[test]
fn the_rule_is_the_table() {
    use Server::{NotPrimary, Plain, Primary};
    let fenced = |others, answered, seeing, server| {
        matches!(rule(Peers { others, answered, seeing }, server), Ruling::Fence(_))
    };
    for server in [Primary, NotPrimary, Plain] {
        assert!(fenced(2, 2, 1, server), "one of two sees ZooKeeper: {server:?}");
        assert!(fenced(2, 1, 1, server), "the only one that answers sees ZooKeeper: {server:?}");
        assert!(fenced(0, 1, 1, server), "one that is no candidate sees ZooKeeper: {server:?}");
        assert!(!fenced(2, 2, 0, server), "nobody sees ZooKeeper: {server:?}");
        assert!(!fenced(2, 1, 0, server), "one answers, and does not see it: {server:?}");
    }
    for others in [0, 2] {
        assert!(fenced(others, 0, 0, NotPrimary), "nobody answers, not primary, {others} others");
        assert!(!fenced(others, 0, 0, Primary), "nobody answers, primary, {others} others");
    }
    assert!(fenced(1, 0, 0, Plain), "the standby does not answer");
    assert!(!fenced(0, 0, 0, Plain), "there is no standby");
}

#[test]
fn a_server_whose_agent_is_cut_off_is_fenced_at_two_thirds_of_the_session_timeout_and_not_before() {
    let (mut fence, round) = (fence(), one(3.5, true));
    assert_eq!(fence.due(&seen(round), at(3.99)), Due::Nothing);
    assert_eq!(fence.look_again(&seen(round), at(3.99)), Some(at(4.0)));
    let why = Why::AnotherSees { seeing: 1 };
    assert_eq!(fence.due(&seen(round), at(4.0)), Due::Set { why, again: false });
}

#[test]
fn a_fence_that_is_being_set_or_is_set_is_not_set_again() {
    let round = one(3.5, true);
    let mut fence = fence();
    assert!(matches!(fence.due(&seen(round), at(4.0)), Due::Set { .. }));
    assert_eq!(fence.due(&seen(round), at(4.1)), Due::Nothing);
    fence.on(Event::Set);
    assert!(fence.is_set());
    assert_eq!(fence.due(&seen(round), at(4.2)), Due::Nothing);
}

#[test]
fn the_others_are_asked_from_half_the_timeout_on_so_that_they_have_answered_when_the_lease_expires() {
    let mut fence = fence();
    let unasked = Seen { round: None, ..seen(nobody(0.0)) };
    assert!(!asks(&mut fence, &unasked, at(2.9)));
    assert_eq!(fence.look_again(&unasked, at(2.9)), Some(at(3.0)));
    assert!(asks(&mut fence, &unasked, at(3.0)));
    assert_eq!(fence.due(&seen(one(3.0, true)), at(3.2)), Due::Nothing);
    assert!(matches!(fence.due(&seen(one(3.0, true)), at(4.0)), Due::Set { .. }));
}

#[test]
fn nobody_is_fenced_because_zookeeper_is_down() {
    let two = Round { begun: at(3.5), answered: 2, seeing: 0 };
    assert_eq!(fence().due(&seen(two), at(4.0)), Due::Leave(WhyNot::NobodySees { answered: 2 }));
}

#[test]
fn the_others_are_asked_again_and_again_while_the_server_is_left_alone() {
    let (mut fence, round) = (fence(), one(3.5, false));
    assert!(matches!(fence.due(&seen(round), at(4.0)), Due::Leave(_)));
    assert!(asks(&mut fence, &seen(round), at(4.0)));
    assert!(!asks(&mut fence, &seen(one(4.0, false)), at(4.4)));
    assert_eq!(fence.look_again(&seen(one(4.0, false)), at(4.4)), Some(at(4.5)));
    assert!(asks(&mut fence, &seen(one(4.0, false)), at(4.5)));
    assert!(
        matches!(fence.due(&seen(one(4.0, false)), at(5.4)), Due::Leave(_)),
        "an answer counts meanwhile"
    );
}

#[test]
fn an_answer_from_before_half_the_timeout_or_from_long_ago_does_not_count() {
    for (asked, now) in [(2.9, 4.0), (3.5, 5.6)] {
        let (mut fence, seen) = (fence(), seen(one(asked, true)));
        assert_eq!(fence.due(&seen, at(now)), Due::Nothing, "asked after {asked} s, looked at after {now} s");
        assert!(asks(&mut fence, &seen, at(now)), "asked after {asked} s, looked at after {now} s");
    }
}

#[test]
fn without_a_quorum_the_server_is_fenced_whatever_others_say() {
    let mut fence = Fence::new(false, at(-100.0), T);
    let due = fence.due(&seen(one(3.5, false)), at(4.0));
    assert_eq!(due, Due::Set { why: Why::Alone, again: false });
}

#[test]
fn a_server_without_a_znode_is_not_fenced() {
    let (mut fence, round) = (fence(), one(3.5, true));
    let without = Seen { has_znode: false, ..seen(round) };
    // The lease is held here: from then on it is known that there is none.
    assert_eq!(fence.due(&without, at(1.0)), Due::Nothing);
    assert_eq!(fence.due(&without, at(4.0)), Due::Nothing);
}

#[test]
fn a_znode_that_was_there_when_the_lease_was_held_last_counts_though_its_session_is_given_up() {
    let (mut fence, round) = (fence(), one(3.5, true));
    fence.due(&seen(round), at(1.0));
    let without = Seen { has_znode: false, ..seen(round) };
    assert!(matches!(fence.due(&without, at(4.0)), Due::Set { .. }));
}

#[test]
fn an_agent_that_finds_no_zookeeper_when_it_is_started_fences_for_what_its_earlier_run_may_have_left() {
    let mut fence = Fence::new(true, at(0.0), T);
    let server = Server::NotPrimary;
    let none = Seen { lease: Lease::new(), has_znode: false, others: 0, round: Some(nobody(3.0)), server };
    assert_eq!(fence.due(&none, at(3.9)), Due::Nothing);
    assert_eq!(fence.look_again(&none, at(3.9)), Some(at(4.0)));
    assert_eq!(fence.due(&none, at(4.0)), Due::Set { why: Why::NotPrimary, again: false });
}

#[test]
fn an_agent_that_was_stopped_asks_again_before_it_does_anything() {
    for server in [Server::Primary, Server::NotPrimary, Server::Plain] {
        for before in [one(3.5, true), one(3.5, false), nobody(3.5)] {
            let seen = Seen { server, ..seen(before) };
            let mut fence = fence();
            assert_eq!(fence.due(&seen, at(33.0)), Due::Nothing, "{seen:?}");
            assert!(asks(&mut fence, &seen, at(33.0)), "{seen:?}");
        }
    }
}

#[test]
fn a_server_is_not_fenced_because_zookeeper_comes_back_for_another_agent_first() {
    let mut fence = fence();
    let down = seen(one(20.0, false));
    assert!(matches!(fence.due(&down, at(20.1)), Due::Leave(WhyNot::NobodySees { .. })));
    let returning = seen(one(20.5, true));
    assert_eq!(fence.due(&returning, at(20.6)), Due::Nothing);
    assert_eq!(fence.look_again(&returning, at(20.6)), Some(at(22.0)));
    assert!(matches!(fence.due(&seen(one(21.9, true)), at(22.0)), Due::Set { .. }));
}

#[test]
fn an_outage_before_the_lease_was_held_again_delays_no_fence() {
    let mut fence = fence();
    assert!(matches!(fence.due(&seen(one(20.0, false)), at(20.1)), Due::Leave(_)));
    assert_eq!(fence.due(&back(20.5), at(20.6)), Due::Nothing);
    let mut cut = back(20.5);
    cut.round = Some(one(24.0, true));
    assert!(matches!(fence.due(&cut, at(24.5)), Due::Set { .. }));
}

/// Whether a server is fenced though ZooKeeper, which was down for everybody, comes back `back` seconds after the last
/// heartbeat for another agent, and `lag` later for its own. Whoever is asked answers within 20 ms.
fn is_fenced_on_return(back: f64, lag: f64) -> bool {
    let mut fence = fence();
    let (mut round, mut asked) = (None, None);
    for now in (0..).map(|tick| f64::from(tick) * 0.01).take_while(|now| *now < back + lag) {
        let seen = Seen { round, ..seen(nobody(0.0)) };
        if matches!(fence.due(&seen, at(now)), Due::Set { .. }) {
            return true;
        }
        if asked.is_none() && fence.asks(&seen, at(now)) {
            asked = Some(now);
        }
        if let Some(begun) = asked.take_if(|begun| now >= *begun + 0.02) {
            round = Some(one(begun, begun >= back));
        }
    }
    false
}

#[test]
fn an_agent_has_a_fifth_of_the_timeout_to_come_back_after_the_first_whenever_that_is_seen() {
    for back in (301..1500).map(|hundredths| f64::from(hundredths) / 100.0) {
        assert!(!is_fenced_on_return(back, 1.2), "ZooKeeper is back after {back} s");
    }
    assert!(is_fenced_on_return(10.0, 2.1), "a third is too long");
}
