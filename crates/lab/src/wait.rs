//! Owns waiting for a condition with a deadline, in place of sleeping.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

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
        // A single look may hang, as on a frozen process: it gets no more than what is left.
        let left = deadline.saturating_sub(start.elapsed());
        if let Ok(Some(value)) = tokio::time::timeout(left, condition()).await {
            return Ok((value, start.elapsed()));
        }
        if start.elapsed() >= deadline {
            bail!("waited {deadline:?} in vain until {what}");
        }
        tokio::time::sleep(LOOK).await;
    }
}
