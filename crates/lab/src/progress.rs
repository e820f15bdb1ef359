//! Owns how a lab tells a person what it does.

use std::fmt::Display;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines with the seconds since the start before each, for example `  3.1 s  three Galera nodes are up`.
#[derive(Clone)]
pub struct Progress {
    start: Instant,
    out: Arc<Mutex<Box<dyn Write + Send>>>,
}

impl Progress {
    /// Writes to `out`.
    pub fn to(out: impl Write + Send + 'static) -> Self {
        Self { start: Instant::now(), out: Arc::new(Mutex::new(Box::new(out))) }
    }

    /// Writes to standard error: what a test shows when it fails.
    pub fn stderr() -> Self {
        Self::to(std::io::stderr())
    }

    /// Says one line. Nobody listening is no error.
    pub fn say(&self, line: impl Display) {
        let elapsed = self.start.elapsed().as_secs_f64();
        self.line(format_args!("{elapsed:6.1} s  {line}"));
    }

    /// Writes one line as it is.
    pub fn line(&self, line: impl Display) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

/// A measured duration for people: `53 ms`, `2.66 s`.
pub fn shown(duration: Duration) -> String {
    match duration.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        _ => format!("{:.2} s", duration.as_secs_f64()),
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("start", &self.start).finish_non_exhaustive()
    }
}
