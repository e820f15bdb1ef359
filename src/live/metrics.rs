//! Metrics of the settings: looked at when they are scraped, so that they always say what `/status` says.

use prometheus::{PullingGauge, Registry, Result};
use tokio::sync::watch;

use super::status::{ConfigStatus, Standing};

/// Registers them for whoever publishes `status`.
///
/// # Errors
/// A name is taken in `registry`.
pub fn register(registry: &Registry, status: &watch::Receiver<ConfigStatus>) -> Result<()> {
    let gauge = |name: &str, help: &str, of: fn(&ConfigStatus) -> f64| {
        let status = status.clone();
        let value = move || of(&status.borrow());
        registry.register(Box::new(PullingGauge::new(name, help, Box::new(value))?))
    };
    gauge(
        "capitana_config_version",
        "Version of the settings in ZooKeeper that is in use, -1 without one",
        |status| status.version.map_or(-1.0, f64::from),
    )?;
    gauge("capitana_config_refused", "1 while the settings in ZooKeeper cannot be used or read", |status| {
        f64::from(matches!(status.standing, Standing::Refused | Standing::Unreadable))
    })?;
    gauge(
        "capitana_config_restart_needed",
        "Settings that were changed in the file and take effect only after a restart",
        |status| status.restart_needed.len() as f64,
    )
}
