//! A hundred thousand systems and their faults: nothing that must hold is violated in any of them.

use std::fmt::Write;

use capitana_sim::batch;

/// About half a minute on two cores. A longer run by hand: `cargo run -p capitana-sim -- --seeds 100000..1000000`.
const SEEDS: u64 = 100_000;

#[test]
fn what_must_hold_holds_in_a_hundred_thousand_systems() {
    let summary = batch::run(0..SEEDS, None, batch::cores(), None);
    let mut failures = String::new();
    for (seed, violation) in &summary.failures {
        let _ = write!(failures, "\nseed {seed}: {violation}");
        let _ = write!(failures, "\n    cargo run -p capitana-sim -- --seed {seed} --trace");
    }
    assert!(failures.is_empty(), "{failures}");
    assert_eq!(summary.runs, SEEDS);
}

#[test]
fn a_seed_is_a_history() {
    for seed in 0..20 {
        let (first, second) = (capitana_sim::run(seed, None, true), capitana_sim::run(seed, None, true));
        assert_eq!(first.trace, second.trace);
        assert_eq!(first.events, second.events);
        assert!(first.events > 100, "seed {seed} has {} events", first.events);
    }
}
