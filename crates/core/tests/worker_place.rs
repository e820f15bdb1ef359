//! Whose turn it is: on every line of candidates, and for whatever they are told and are not told.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};

use capitana_core::Epoch;
use capitana_core::backoff::Backoff;
use capitana_core::worker::{Claim, Place, Terms, place};

fn claim(epoch: i64) -> Claim {
    Claim { name: format!("worker-{epoch}"), epoch: Epoch(epoch), exclusive: false }
}

fn terms(count: usize) -> Terms {
    Terms { count, exclusive: false }
}

fn waits(before: usize, watch: &[i64]) -> Place {
    Place::Waits { before, watch: watch.iter().map(|epoch| format!("worker-{epoch}")).collect() }
}

#[test]
fn the_first_of_the_line_runs_and_each_other_waits_for_its_predecessor() {
    let line: Vec<_> = [9, 3, 7].map(claim).into();
    assert_eq!(place(&line, Epoch(3), terms(1)), Place::Runs);
    assert_eq!(place(&line, Epoch(7), terms(1)), waits(1, &[3]));
    assert_eq!(place(&line, Epoch(9), terms(1)), waits(2, &[7]));
}

#[test]
fn where_two_may_run_each_that_waits_watches_the_two_before_it() {
    let line: Vec<_> = [1, 2, 3, 4, 5].map(claim).into();
    assert_eq!(place(&line, Epoch(2), terms(2)), Place::Runs);
    assert_eq!(place(&line, Epoch(3), terms(2)), waits(2, &[1, 2]));
    assert_eq!(place(&line, Epoch(5), terms(2)), waits(4, &[3, 4]));
}

#[test]
fn an_exclusive_candidate_runs_alone_whatever_count_the_others_have() {
    let mut line: Vec<_> = [1, 2, 3, 4].map(claim).into();
    line[1].exclusive = true;
    assert_eq!(place(&line, Epoch(1), terms(3)), Place::Runs);
    assert_eq!(place(&line, Epoch(2), Terms { count: 3, exclusive: true }), waits(1, &[1]));
    assert_eq!(place(&line, Epoch(3), terms(3)), waits(2, &[2]));
    line.remove(0);
    assert_eq!(place(&line, Epoch(2), Terms { count: 3, exclusive: true }), Place::Runs);
    assert_eq!(place(&line, Epoch(3), terms(3)), waits(1, &[2]));
}

/// Candidates come and go at random; each looks only when a znode it watches goes, and acts on what it then saw.
#[test]
fn nobody_misses_its_turn_and_no_more_run_than_may_though_each_looks_only_when_told() {
    for seed in 1..=300 {
        let (count, mut random) = (1 + seed as usize % 4, Random(Backoff::new(NANO, NANO * 1_000_000, seed)));
        let (mut line, mut seen) = (Vec::new(), BTreeMap::<i64, Place>::new());
        for epoch in 1..400 {
            if line.is_empty() || random.below(100) < 52 {
                line.push(claim(epoch));
                seen.insert(epoch, place(&line, Epoch(epoch), terms(count)));
            } else {
                let gone = line.remove(random.below(line.len()));
                seen.remove(&gone.epoch.0);
                let told = told(&seen, &gone.name);
                assert!(told.len() <= count, "seed {seed}: {} were told", told.len());
                told.iter().for_each(|one| drop(seen.insert(*one, place(&line, Epoch(*one), terms(count)))));
            }
            let run: BTreeSet<_> = seen.iter().filter(|(_, p)| **p == Place::Runs).map(|(e, _)| *e).collect();
            let first: BTreeSet<_> = line.iter().take(count).map(|claim| claim.epoch.0).collect();
            assert_eq!(run, first, "seed {seed}, after {epoch}");
        }
    }
}

fn told(seen: &BTreeMap<i64, Place>, gone: &str) -> Vec<i64> {
    let watches =
        |place: &Place| matches!(place, Place::Waits { watch, .. } if watch.iter().any(|w| w == gone));
    seen.iter().filter(|(_, place)| watches(place)).map(|(epoch, _)| *epoch).collect()
}

const NANO: std::time::Duration = std::time::Duration::from_nanos(1_000_000);

/// The spread of a backoff is random enough here.
struct Random(Backoff);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0.reset();
        self.0.wait().as_nanos() as usize % most
    }
}
