//! How long to wait before the next attempt.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::collections::BTreeSet;
use std::time::Duration;

use capitana_core::backoff::Backoff;
use proptest::prelude::*;

const FIRST: Duration = Duration::from_millis(100);
const MOST: Duration = Duration::from_secs(3);

#[test]
fn waits_double_up_to_the_longest() {
    let mut backoff = Backoff::new(FIRST, MOST, 42);
    for whole in [100, 200, 400, 800, 1600, 3000, 3000, 3000].map(Duration::from_millis) {
        let wait = backoff.wait();
        assert!((whole / 2..=whole).contains(&wait), "{wait:?} of {whole:?}");
    }
}

#[test]
fn a_success_makes_the_next_wait_the_shortest_again() {
    let mut backoff = Backoff::new(FIRST, MOST, 42);
    for _ in 0..6 {
        backoff.wait();
    }
    backoff.reset();
    assert!(backoff.wait() <= FIRST);
}

#[test]
fn seeds_that_are_near_each_other_spread_over_the_whole_range() {
    let first_waits = |seed: fn(u64) -> u64| {
        let waits = (1..=100).map(|n| Backoff::new(FIRST, MOST, seed(n)).wait());
        waits.collect::<BTreeSet<_>>()
    };
    for waits in [first_waits(|n| n), first_waits(|n| n << 32 ^ 4711)] {
        let (least, most) = (waits.first().unwrap(), waits.last().unwrap());
        assert!(waits.len() > 90, "{waits:?}");
        assert!(*least < FIRST * 6 / 10 && *most > FIRST * 9 / 10, "{least:?} to {most:?}");
    }
}

proptest! {
    #[test]
    fn every_wait_is_between_half_of_the_first_and_the_longest(seed: u64, first_ms in 1..10_000u64, factor in 1..100u32) {
        let first = Duration::from_millis(first_ms);
        let most = first * factor;
        let mut backoff = Backoff::new(first, most, seed);
        for _ in 0..50 {
            let wait = backoff.wait();
            prop_assert!(wait >= first / 2 && wait <= most, "{:?}", wait);
        }
    }
}
