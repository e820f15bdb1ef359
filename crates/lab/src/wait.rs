//! Owns waiting for a condition with a deadline, in place of sleeping.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at.
const PAUSE: Duration = Duration::from_millis(20);

/// How long one look may take. It may hang, as on a frozen process, or on ZooKeeper, which never answers what it is asked
/// too early in its start.
const LOOK: Duration = Duration::from_secs(2);

/// Looks at `condition` until it gives a value, and returns that and how long it took.
///
/// # Errors
/// The deadline passed; the message says `what` was waited for.
pub async fn wait_until<T>(
    deadline: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> Result<(T, Duration)> {
    let start = Instant::now();
    loop {
        let left = deadline.saturating_sub(start.elapsed());
        if let Ok(Some(value)) = tokio::time::timeout(left.min(LOOK), condition()).await {
            return Ok((value, start.elapsed()));
        }
        if start.elapsed() >= deadline {
            bail!("waited {deadline:?} in vain until {what}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
