//! `capitana vip`: holds an address of the network on this host for as long as it runs: adds it, tells the neighbours,
//! removes it on the way out. The kernel is given a short lifetime with it that is renewed again and again: when this
//! process is killed or frozen, the kernel itself removes the address a lifetime later, and no other process is needed for it.
//! That is before another host can have its turn where the worker was killed or frozen with it. A worker that lives may give
//! the turn up at once, and both hosts then have the address for the rest of the lifetime.

mod announce;
mod device;

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::error::Error;
use crate::signals::{Signal, Signals};
use announce::Announcer;
use device::Device;

/// When the neighbours are told, from the moment on which the address is here: a packet can be lost, and a switch may still
/// be learning.
const ANNOUNCED_AFTER: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
];
/// Renewals in a lifetime: three may be late or fail.
const RENEWALS: u32 = 4;

/// What is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vip {
    /// The address.
    pub address: IpAddr,
    /// The length of its network's prefix.
    pub prefix: u8,
    /// The name of the interface.
    pub device: String,
    /// After how long without a renewal the kernel removes it: whole seconds, one at least.
    pub lifetime: Duration,
}

/// Holds the address until it is asked to stop.
///
/// # Errors
/// There is no such device, the address is somebody else's, or the right to change addresses is missing.
pub fn run(vip: &Vip) -> Result<(), Error> {
    let system = |source| Error::System { doing: "cannot start a runtime", source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
    runtime.block_on(hold(vip))
}

async fn hold(vip: &Vip) -> Result<(), Error> {
    let mut signals =
        Signals::new().map_err(|source| Error::System { doing: "cannot handle signals", source })?;
    let device = Device::open(vip).await?;
    device.renew().await?;
    tracing::info!(address = %vip.address, device = vip.device, "the address is here");
    let held = keep(vip, &device, &mut signals).await;
    // Also when it could not be renewed: whatever is left of it goes.
    let removed = device.remove().await;
    tracing::info!(address = %vip.address, device = vip.device, "the address is given up");
    held.and(removed)
}

async fn keep(vip: &Vip, device: &Device, signals: &mut Signals) -> Result<(), Error> {
    let announcer = Announcer::open(vip.address, device.mac(), device.index());
    if let Err(error) = &announcer {
        tracing::warn!(%error, "the neighbours are not told that the address has moved here: CAP_NET_RAW is missing?");
    }
    let began = Instant::now();
    let mut announcements = ANNOUNCED_AFTER.into_iter().map(|after| began + after).peekable();
    let mut renewed = began;
    loop {
        let renew_at = renewed + vip.lifetime / RENEWALS;
        let announce_at = announcements.peek().copied();
        tokio::select! {
            signal = signals.next() => if signal == Signal::Stop {
                return Ok(());
            },
            () = sleep_until(announce_at.unwrap_or(renew_at)), if announce_at.is_some() => {
                announcements.next();
                if let Ok(announcer) = &announcer {
                    announcer.announce().unwrap_or_else(|error| tracing::warn!(%error, "an announcement failed"));
                }
            }
            () = sleep_until(renew_at) => {
                renewed = Instant::now();
                device.renew().await?;
            }
        }
    }
}
