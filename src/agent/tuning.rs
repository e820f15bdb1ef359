//! What of the agent's settings can change while it runs: those who use it follow it here. Where it comes from is `live`'s.

use std::time::Duration;

use capitana_core::health::{Galera, Rules};
use tokio::sync::watch;

use super::wire::Pace;
use crate::config::{AgentConfig, GaleraMode, Priority};

/// The settings in effect that can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// How checks are made and judged.
    pub rules: Rules,
    /// Whether checks commit a row.
    pub canary: bool,
    /// How long the agent waits before it registers; zero for one of normal priority.
    pub delay: Duration,
    /// Whether the other agents are asked before the server is fenced.
    pub fence_quorum: bool,
}

impl Tuning {
    /// What these settings come to.
    #[must_use]
    pub fn of(config: &AgentConfig) -> Self {
        Self {
            rules: rules(config),
            canary: config.canary,
            delay: match config.priority {
                Priority::Normal => Duration::ZERO,
                Priority::Low => config.rejoin_delay,
            },
            fence_quorum: config.fence_quorum,
        }
    }

    /// What never changes, for an agent that waits `delay` and is otherwise as by default.
    #[must_use]
    pub fn fixed(delay: Duration) -> watch::Receiver<Self> {
        let tuning = Self { rules: Rules::DEFAULT, canary: true, delay, fence_quorum: true };
        watch::channel(tuning).1
    }

    /// How often and how long to try.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace { interval: self.rules.interval, limit: self.rules.limit }
    }
}

fn rules(config: &AgentConfig) -> Rules {
    Rules {
        fall: config.fall,
        rise: config.rise,
        donor_may_lead: config.available_when_donor,
        galera: match config.galera {
            GaleraMode::Auto => Galera::Auto,
            GaleraMode::On => Galera::On,
            GaleraMode::Off => Galera::Off,
        },
        interval: config.poll_interval,
        limit: config.check_timeout,
    }
}
