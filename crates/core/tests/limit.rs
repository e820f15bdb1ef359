//! How often something may be said.

use std::time::Duration;

use capitana_core::limit::RateLimit;
use proptest::prelude::*;

#[test]
fn a_burst_passes_at_once_and_no_more() {
    let mut limit = RateLimit::new(1, 3);
    let passed = (0..10).filter(|_| limit.admit(Duration::ZERO).is_some()).count();
    assert_eq!(passed, 3);
}

#[test]
fn the_next_that_passes_tells_how_many_were_held_back() {
    let mut limit = RateLimit::new(1, 1);
    assert_eq!(limit.admit(Duration::ZERO), Some(0));
    assert_eq!(limit.admit(Duration::ZERO), None);
    assert_eq!(limit.admit(Duration::ZERO), None);
    assert_eq!(limit.admit(Duration::from_secs(1)), Some(2));
    assert_eq!(limit.admit(Duration::from_secs(2)), Some(0));
}

#[test]
fn a_long_silence_saves_up_one_burst_and_no_more() {
    let mut limit = RateLimit::new(100, 2);
    let later = Duration::from_secs(3600);
    let passed = (0..10).filter(|_| limit.admit(later).is_some()).count();
    assert_eq!(passed, 2);
}

proptest! {
    #[test]
    fn no_more_pass_than_the_rate_and_one_burst(
        per_second in 1..50u32,
        burst in 1..50u32,
        steps in prop::collection::vec(0..500u64, 1..300),
    ) {
        let mut limit = RateLimit::new(per_second, burst);
        let (mut now, mut passed, mut held_back, mut told) = (Duration::ZERO, 0u64, 0u64, 0u64);
        for step in steps {
            now += Duration::from_millis(step);
            match limit.admit(now) {
                Some(suppressed) => {
                    passed += 1;
                    told += suppressed;
                }
                None => held_back += 1,
            }
        }
        let most = f64::from(burst) + now.as_secs_f64() * f64::from(per_second);
        prop_assert!(passed as f64 <= most + 1e-6, "{} passed of {}", passed, most);
        prop_assert!(told <= held_back);
    }
}
