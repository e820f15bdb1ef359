//! How often something may be said: a token bucket over a clock that is passed in. Owns no clock.

use std::time::Duration;

/// Lets `per_second` through on average and `burst` at once, and counts what it held back.
#[derive(Debug)]
pub struct RateLimit {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled_at: Duration,
    suppressed: u64,
}

impl RateLimit {
    /// A full bucket.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Self {
        let burst = f64::from(burst);
        Self {
            per_second: f64::from(per_second),
            burst,
            tokens: burst,
            filled_at: Duration::ZERO,
            suppressed: 0,
        }
    }

    /// Whether one may pass now; if so, how many were held back since the last that passed.
    pub fn admit(&mut self, now: Duration) -> Option<u64> {
        let passed = now.saturating_sub(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        self.filled_at = now;
        if self.tokens < 1.0 {
            self.suppressed += 1;
            return None;
        }
        self.tokens -= 1.0;
        Some(std::mem::take(&mut self.suppressed))
    }
}
