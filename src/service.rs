//! What a service manager (systemd) is told of this process: that it does its work, what it is at, that it lives. A
//! process that nobody manages tells nobody. When to tell is the daemons'.

use std::time::Duration;

use sd_notify::NotifyState;

/// The service manager that started this process, if one did.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    watchdog: Option<Duration>,
}

impl Service {
    /// As the environment says (`NOTIFY_SOCKET`, `WATCHDOG_USEC`).
    #[must_use]
    pub fn from_environment() -> Self {
        Self { watchdog: sd_notify::watchdog_enabled() }
    }

    /// How often `alive` is expected: twice as often as systemd's `WatchdogSec`. None: it is not.
    #[must_use]
    pub fn beat(self) -> Option<Duration> {
        self.watchdog.map(|watchdog| watchdog / 2)
    }

    /// The daemon does its work from now on.
    pub fn ready(self, status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// What it is at, for `systemctl status`.
    pub fn status(self, status: &str) {
        tell(&[NotifyState::Status(status)]);
    }

    /// It ends.
    pub fn stopping(self, status: &str) {
        tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
    }

    /// Without this for `WatchdogSec` the process is ended and started anew.
    pub fn alive(self) {
        tell(&[NotifyState::Watchdog]);
    }

    /// Settings are read again.
    pub fn reloading(self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::debug!(%error, "the time of a reload is not known"),
        }
    }

    /// They have been.
    pub fn reloaded(self) {
        tell(&[NotifyState::Ready]);
    }
}

/// A service manager that does not listen keeps no daemon from its work.
fn tell(news: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(news) {
        tracing::debug!(%error, "the service manager does not listen");
    }
}
