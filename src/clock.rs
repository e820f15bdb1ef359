//! The clock of whatever must not be outlived by a pause: it goes on while the process is stopped and while the machine
//! is suspended, and nobody sets it. It is read here and passed to those who decide.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// `CLOCK_BOOTTIME`. Times of one boot of one machine can be compared, also between processes.
#[derive(Debug, Clone, Copy, Default)]
pub struct BootClock;

impl BootClock {
    /// The time since the machine was booted.
    #[must_use]
    pub fn now(&self) -> Duration {
        let time = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_and_never_goes_back() {
        let before = BootClock.now();
        assert!(before > Duration::ZERO);
        assert!(BootClock.now() >= before);
    }
}
