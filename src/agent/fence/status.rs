//! What the fencer publishes: whether this agent has fenced its server, and from which checks that must be kept apart.

use std::time::SystemTime;

use capitana_core::fence::Why;
use serde::Serialize;
use tokio::time::Instant;

use crate::agent::status::rfc3339;
use crate::config::FenceMode;

/// The fencer's snapshot.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FenceStatus {
    /// The fence this agent has set, or is setting or lifting; null: there is none of its own.
    pub fenced: Option<Fenced>,
    /// When the last one was lifted, and what it was.
    #[serde(skip)]
    lifted: Option<(Instant, FenceMode)>,
}

/// A fence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fenced {
    /// How.
    pub by: FenceMode,
    /// Since when, RFC 3339 UTC.
    pub since: String,
    /// Why, for people.
    pub why: String,
    /// Whether the server has confirmed it.
    pub confirmed: bool,
}

impl FenceStatus {
    /// Takes in how the fence stands; answers whether that is news.
    pub fn update(&mut self, why: Option<Why>, by: FenceMode, confirmed: bool) -> bool {
        match (why, &mut self.fenced) {
            (None, None) => false,
            (None, Some(_)) => {
                self.lifted = self.fenced.take().map(|fenced| (Instant::now(), fenced.by));
                true
            }
            (Some(_), Some(fenced)) if fenced.confirmed || !confirmed => false,
            (Some(_), Some(fenced)) => {
                fenced.confirmed = true;
                true
            }
            (Some(why), None) => {
                let since = rfc3339(SystemTime::now());
                self.fenced = Some(Fenced { by, since, why: why.to_string(), confirmed });
                true
            }
        }
    }

    /// The fence of this agent's that a check which was asked at that time may have seen.
    #[must_use]
    pub fn seen_by(&self, asked: Instant) -> Option<FenceMode> {
        let lifted = self.lifted.filter(|(at, _)| asked <= *at).map(|(_, by)| by);
        self.fenced.as_ref().map(|fenced| fenced.by).or(lifted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_seen_from_before_it_is_set_until_a_check_that_was_asked_after_it_was_lifted() {
        let mut status = FenceStatus::default();
        let by = FenceMode::ReadOnly;
        assert_eq!(status.seen_by(Instant::now()), None);
        assert!(status.update(Some(Why::Alone), by, false));
        assert!(!status.update(Some(Why::Alone), by, false));
        assert!(status.update(Some(Why::Alone), by, true));
        assert_eq!(status.seen_by(Instant::now()), Some(by));
        let before = Instant::now();
        assert!(status.update(None, by, false));
        assert_eq!(status.seen_by(before), Some(by));
        let after = Instant::now() + std::time::Duration::from_millis(1);
        assert_eq!(status.seen_by(after), None);
    }
}
