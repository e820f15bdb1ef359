//! What each server is busy with on behalf of this proxy, whichever role its sessions have. Owns the counts.

use std::collections::BTreeMap;

use crate::HostPort;

/// What one server is busy with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Attempts under way.
    pub dials: usize,
    /// Sessions, attempts included.
    pub sessions: usize,
}

/// Every server that is busy at all: few, so that comparing addresses is cheaper than hashing them.
#[derive(Debug, Default)]
pub(super) struct Loads(BTreeMap<HostPort, Load>);

impl Loads {
    pub(super) fn of(&self, upstream: &HostPort) -> Load {
        self.0.get(upstream).copied().unwrap_or_default()
    }

    /// Sessions on all servers.
    pub(super) fn sessions(&self) -> usize {
        self.0.values().map(|load| load.sessions).sum()
    }

    pub(super) fn begin(&mut self, upstream: &HostPort) {
        let load = self.0.entry(upstream.clone()).or_default();
        load.dials += 1;
        load.sessions += 1;
    }

    pub(super) fn dial_ended(&mut self, upstream: &HostPort) {
        if let Some(load) = self.0.get_mut(upstream) {
            load.dials = load.dials.saturating_sub(1);
        }
    }

    pub(super) fn session_ended(&mut self, upstream: &HostPort) {
        if let Some(load) = self.0.get_mut(upstream) {
            load.sessions = load.sessions.saturating_sub(1);
            if load.sessions == 0 {
                self.0.remove(upstream);
            }
        }
    }
}
