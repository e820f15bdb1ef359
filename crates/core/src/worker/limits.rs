//! Until when a command may run without news of ZooKeeper. Each moment is on the clock of the lease, which goes on while the
//! process or its machine stands still. Pure: what happens at each is its caller's.
//!
//! The session lives until 3/4 of its timeout after the sending of the last acknowledged request at least (`lease`). So the
//! command is asked to end after 1/2, everything that is left of it is killed a twentieth before 2/3, which gives time to see
//! it gone, and at 2/3 the kernel kills the command, whatever else stands still.

use std::time::Duration;

use crate::lease::Lease;

/// When what happens if no more news comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The command is asked to end: SIGTERM.
    pub end_at: Duration,
    /// Everything it started is killed.
    pub kill_at: Duration,
    /// The kernel kills the command.
    pub last: Duration,
}

impl Limits {
    /// Those of a lease. None: there has never been one.
    #[must_use]
    pub fn of(lease: &Lease) -> Option<Self> {
        let (last, timeout) = (lease.expires()?, lease.timeout()?);
        Some(Self { end_at: last - timeout / 6, kill_at: last - timeout / 20, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_asked_to_end_at_half_the_session_timeout_and_is_dead_at_two_thirds() {
        let mut lease = Lease::new();
        assert_eq!(Limits::of(&lease), None);
        lease.renew(Duration::from_secs(10), Duration::from_secs(6));
        let limits = Limits::of(&lease).unwrap();
        assert_eq!(limits.end_at, Duration::from_secs(13));
        assert_eq!(limits.kill_at, Duration::from_millis(13_700));
        assert_eq!(limits.last, Duration::from_secs(14));
    }
}
