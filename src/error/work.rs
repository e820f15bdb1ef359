//! What can end a worker, and whoever holds an address.

use std::net::IpAddr;
use std::time::Duration;

/// What ended it. Its `Display` is one line.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// An address cannot be held.
    #[error("{address} on {device}: {problem}")]
    Vip {
        /// The address.
        address: IpAddr,
        /// The network interface.
        device: String,
        /// Why, and what may help.
        problem: String,
    },

    /// A worker's turn was lost or in doubt while its command ran, and it was ended.
    #[error(
        "worker {name}: its turn was lost, or ZooKeeper did not answer for too long, and the command was ended: \
         look at ZooKeeper, then run it again"
    )]
    TurnLost {
        /// The worker's name.
        name: String,
    },

    /// A worker's turn has not come in the time that was given.
    #[error(
        "worker {name}: its turn has not come within {}: another runs, or ZooKeeper does not answer (--wait waits longer)",
        humantime::format_duration(*waited)
    )]
    NoTurn {
        /// The worker's name.
        name: String,
        /// How long it was waited for.
        waited: Duration,
    },
}
