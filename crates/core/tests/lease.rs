//! The lease on a session: renewed by what was sent, and worth less and less without it.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::time::Duration;

use capitana_core::lease::{Lease, Standing, heartbeat};

/// The session timeout.
const T: Duration = Duration::from_secs(6);

fn at(seconds: f64) -> Duration {
    Duration::from_secs_f64(1000.0 + seconds)
}

fn renewed() -> Lease {
    let mut lease = Lease::new();
    lease.renew(at(0.0), T);
    lease
}

#[test]
fn an_agent_that_never_had_an_answer_has_no_lease() {
    assert_eq!(Lease::new().standing(at(100.0)), Standing::Never);
    assert_eq!(Lease::new().age(at(100.0)), None);
}

#[test]
fn a_lease_is_held_in_doubt_and_expired_by_thirds_of_the_session_timeout() {
    let lease = renewed();
    for (seconds, standing) in [
        (0.0, Standing::Held),
        (2.0, Standing::Held),
        (2.01, Standing::InDoubt),
        (3.99, Standing::InDoubt),
        (4.0, Standing::Expired),
        (600.0, Standing::Expired),
    ] {
        assert_eq!(lease.standing(at(seconds)), standing, "after {seconds} s");
    }
    assert_eq!(lease.expires(), Some(at(4.0)));
}

#[test]
fn a_lease_counts_from_the_sending_and_not_from_the_answer() {
    let mut lease = renewed();
    // Sent at 1 s and answered at 3 s.
    lease.renew(at(1.0), T);
    assert_eq!(lease.age(at(3.0)), Some(Duration::from_secs(2)));
    assert_eq!(lease.expires(), Some(at(5.0)));
}

#[test]
fn an_answer_to_an_earlier_request_does_not_make_a_lease_older() {
    let mut lease = renewed();
    lease.renew(at(-2.0), T);
    assert_eq!(lease.age(at(1.0)), Some(Duration::from_secs(1)));
}

#[test]
fn the_timeout_is_that_of_the_session_in_which_it_was_renewed_last() {
    let mut lease = renewed();
    lease.renew(at(1.0), T / 2);
    assert_eq!(lease.expires(), Some(at(3.0)));
}

#[test]
fn a_process_that_was_stopped_finds_its_lease_expired_when_it_goes_on() {
    let lease = renewed();
    assert_eq!(lease.standing(at(0.9)), Standing::Held);
    // Thirty seconds of SIGSTOP, or of suspension: the clock went on, nothing else did.
    assert_eq!(lease.standing(at(30.9)), Standing::Expired);
}

#[test]
fn an_answer_that_was_waiting_while_the_process_was_stopped_renews_nothing_that_counts() {
    let mut lease = renewed();
    lease.renew(at(1.0), T);
    assert_eq!(lease.standing(at(31.0)), Standing::Expired);
}

#[test]
fn a_clock_before_the_renewal_makes_it_young_and_not_a_panic() {
    assert_eq!(renewed().age(at(-5.0)), Some(Duration::ZERO));
}

#[test]
fn where_zookeeper_has_failed_for_all_no_other_lease_is_held_any_more_when_others_count() {
    let lease = renewed();
    let asked = lease.others_count_from().unwrap();
    assert!(asked < lease.expires().unwrap());
    // The other's last heartbeat was acknowledged up to one heartbeat after ours.
    let mut other = Lease::new();
    other.renew(at(0.0) + heartbeat(T), T);
    assert_ne!(other.standing(asked + Duration::from_millis(1)), Standing::Held);
}
