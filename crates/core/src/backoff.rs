//! How long to wait before the next attempt: exponential, with jitter from a seed that is passed in. Waiting is the
//! caller's.

use std::time::Duration;

/// Doubles from `first` to `most`; each wait is drawn between half of that and the whole, so that many processes do not
/// try in step.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
    random: u64,
}

impl Backoff {
    /// `seed` should differ between those who try at the same time.
    #[must_use]
    pub fn new(first: Duration, most: Duration, seed: u64) -> Self {
        // Spread over all bits (Fibonacci hashing), as the generator below takes long to spread a small number itself;
        // a seed of zero would stay zero.
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { first, most, next: first, random }
    }

    /// The time to wait before the next attempt.
    pub fn wait(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(self.most);
        whole / 2 + (whole / 2).mul_f64(self.fraction())
    }

    /// To be called after a success: the next wait is the shortest again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// A number from 0 to 1 by xorshift64 (Marsaglia 2003), which is random enough to spread attempts.
    fn fraction(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }
}
