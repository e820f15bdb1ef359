//! Waiting for a condition with a deadline, in place of sleeping.

use std::thread;
use std::time::{Duration, Instant};

/// How long a condition may take; generous, for machines that do much else.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until there is a value.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "waited {DEADLINE:?} in vain until {what}");
        pause(PAUSE);
    }
}

/// Gives the processor away, for this long at most.
pub fn pause(most: Duration) {
    thread::park_timeout(most);
}
