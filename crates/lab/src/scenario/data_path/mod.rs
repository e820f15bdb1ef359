//! Owns what the scenarios of the data path share: a proxy with a fixed primary, both ends of a session through it, and
//! what the kernel says of a proxy. No election takes part in them.

mod fixed;
pub(super) mod kernel;
mod pairs;

use std::time::Duration;

pub(super) use fixed::Fixed;
pub(super) use pairs::Pairs;

/// Has a client pause that is a thread of its own.
#[expect(
    clippy::disallowed_methods,
    reason = "no task runs on such a thread, and the pause is what the client does"
)]
pub(super) fn rest(time: Duration) {
    std::thread::sleep(time);
}
