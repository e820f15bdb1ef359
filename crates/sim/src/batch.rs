//! Many seeds on all cores, in no order. A run is one thread's alone.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::checks::Violation;
use crate::rule::Broken;

/// What became of many runs.
#[derive(Debug, Default)]
pub struct Summary {
    /// Seeds that were run.
    pub runs: u64,
    /// Events that happened in them.
    pub events: u64,
    /// The seeds that failed and why, at most a few.
    pub failures: Vec<(u64, Violation)>,
}

/// Failures after which no more seeds are begun.
const ENOUGH: usize = 10;

/// Runs seeds on `jobs` threads until all are done or `enough` have failed.
#[must_use]
pub fn run(seeds: Range<u64>, broken: Option<Broken>, jobs: usize, enough: Option<usize>) -> Summary {
    let next = AtomicU64::new(seeds.start);
    let stop = AtomicBool::new(false);
    let summary = Mutex::new(Summary::default());
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                let mine = worker(&next, seeds.end, broken, (&stop, enough.unwrap_or(ENOUGH)));
                let mut all = summary.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                all.runs += mine.runs;
                all.events += mine.events;
                all.failures.extend(mine.failures);
            });
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    summary.failures.sort();
    summary
}

fn worker(
    next: &AtomicU64,
    end: u64,
    broken: Option<Broken>,
    (stop, enough): (&AtomicBool, usize),
) -> Summary {
    let mut mine = Summary::default();
    while !stop.load(Ordering::Relaxed) {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            break;
        }
        let outcome = crate::run(seed, broken, false);
        mine.runs += 1;
        mine.events += outcome.events;
        if let Some(failure) = outcome.failure {
            mine.failures.push((seed, failure));
            if mine.failures.len() >= enough {
                stop.store(true, Ordering::Relaxed);
            }
        }
    }
    mine
}

/// As many threads as there are cores.
#[must_use]
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
