//! What a person at a terminal is told while a command waits, and the runtime on which it waits.

use std::future::Future;
use std::io::{IsTerminal, Write, stderr};
use std::pin::pin;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::error::Error;

/// How long a person waits without wondering.
const SILENCE: Duration = Duration::from_secs(1);

/// Runs one command to its answer, on the calling thread. A look-up of a host name that is still under way then is not
/// waited for: it cannot be stopped, and may take much longer than the command may.
pub(super) fn block_on<T>(answer: impl Future<Output = T>) -> Result<T, Error> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| Error::System { doing: "cannot start a runtime", source })?;
    let answer = runtime.block_on(answer);
    runtime.shutdown_background();
    Ok(answer)
}

/// Waits for `answer`, and says on a terminal what is waited for if that takes more than a moment.
pub(super) async fn patiently<T>(waiting_for: &str, limit: Duration, answer: impl Future<Output = T>) -> T {
    let mut answer = pin!(answer);
    if let Ok(answer) = timeout(SILENCE, &mut answer).await {
        return answer;
    }
    let mut terminal = stderr();
    if terminal.is_terminal() {
        let limit = humantime::format_duration(limit);
        // A terminal that is gone does not keep the answer from whoever asked.
        let _ = writeln!(terminal, "waiting for {waiting_for} (at most {limit})");
    }
    answer.await
}
