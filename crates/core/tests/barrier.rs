//! Who is let in on a new primary, and when.

use std::time::Duration;

use capitana_core::Epoch;
use capitana_core::barrier::{Gate, needed_since};
use proptest::prelude::{Strategy, any, prop_assert, proptest};

const OLD: Epoch = Epoch(7);
const NEW: Epoch = Epoch(9);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn elected() -> Gate {
    let mut gate = Gate::default();
    gate.elected(NEW);
    gate
}

#[test]
fn nobody_is_let_in_before_a_causal_read_has_passed() {
    let gate = elected();
    assert!(!gate.is_open(NEW));
    assert!(!gate.admits(NEW, ms(0)));
}

#[test]
fn a_read_lets_in_who_arrived_before_it_began() {
    let mut gate = elected();
    gate.passed(NEW, ms(10));
    assert!(gate.is_open(NEW));
    assert!(gate.admits(NEW, ms(10)));
    assert!(!gate.admits(NEW, ms(11)));
}

#[test]
fn a_read_begun_after_the_drain_lets_in_everybody() {
    let mut gate = elected();
    gate.drained(NEW, ms(20));
    gate.passed(NEW, ms(20));
    assert!(gate.is_settled());
    assert!(gate.admits(NEW, ms(5000)));
}

#[test]
fn a_read_begun_before_the_end_of_the_drain_settles_nothing() {
    let mut gate = elected();
    gate.passed(NEW, ms(19));
    gate.drained(NEW, ms(20));
    assert!(!gate.is_settled());
    assert!(!gate.admits(NEW, ms(21)));
    assert!(gate.admits(NEW, ms(19)));
}

#[test]
fn only_the_first_end_of_the_drain_counts() {
    let mut gate = elected();
    gate.drained(NEW, ms(20));
    gate.drained(NEW, ms(40));
    gate.passed(NEW, ms(30));
    assert!(gate.is_settled());
}

#[test]
fn a_newer_election_shuts_the_gate_again() {
    let mut gate = Gate::default();
    gate.elected(OLD);
    gate.drained(OLD, ms(1));
    gate.passed(OLD, ms(1));
    gate.elected(NEW);
    assert!(!gate.is_open(OLD) && !gate.is_open(NEW));
    assert!(!gate.is_settled());
}

#[test]
fn what_belongs_to_another_epoch_changes_nothing() {
    let mut gate = elected();
    gate.passed(OLD, ms(10));
    gate.drained(OLD, ms(10));
    gate.waive(OLD);
    gate.elected(OLD);
    assert_eq!(gate.epoch(), Some(NEW));
    assert!(!gate.is_open(NEW));
    assert!(!gate.is_settled());
}

#[test]
fn a_primary_that_is_asked_nothing_lets_everybody_in() {
    let mut gate = elected();
    gate.waive(NEW);
    assert!(gate.is_open(NEW) && gate.is_settled() && gate.admits(NEW, ms(5000)));
}

/// What can happen at a new primary, at a time later than all before.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A session of the old epoch has its last write acknowledged, and ends.
    OldEnds,
    /// A causal read begins, and passes before the next step.
    Read,
    /// A client arrives and asks.
    Arrives,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = any::<u8>().prop_map(|n| match n % 3 {
        0 => Step::OldEnds,
        1 => Step::Read,
        _ => Step::Arrives,
    });
    proptest::collection::vec(step, 1..60)
}

proptest! {
    /// Against the definition: who is let in, arrived after a write that the last read had not to show, is wrong.
    #[test]
    fn who_is_let_in_reads_every_write_acknowledged_before_it_came(steps in steps()) {
        let mut old = steps.iter().filter(|step| matches!(step, Step::OldEnds)).count();
        let mut gate = elected();
        let (mut written, mut shown) = (None, None);
        let mut waiting = Vec::new();
        for (now, step) in steps.into_iter().enumerate() {
            let now = ms(now as u64);
            match step {
                Step::OldEnds => {
                    written = Some(now);
                    old -= 1;
                }
                Step::Read => {
                    gate.passed(NEW, now);
                    shown = Some(now);
                }
                Step::Arrives => waiting.push((now, written)),
            }
            if old == 0 {
                gate.drained(NEW, now);
            }
            for (_, written) in waiting.extract_if(.., |(arrived, _)| gate.admits(NEW, *arrived)) {
                prop_assert!(shown >= written);
            }
        }
    }

    #[test]
    fn a_client_never_waits_for_a_read_later_than_its_arrival(arrived in 0u64..100, drained in 0u64..100) {
        prop_assert!(needed_since(ms(arrived), Some(ms(drained))) <= ms(arrived));
        prop_assert!(needed_since(ms(arrived), None) == ms(arrived));
    }
}
