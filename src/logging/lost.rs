//! Counts the log lines that were lost because nobody took them, looked at when it is scraped.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, Result};
use tracing_appender::non_blocking::ErrorCounter;

use crate::metrics::opts;

/// The lines that one writer has lost.
pub(super) struct LostLines {
    lost: ErrorCounter,
    counter: IntCounter,
}

impl LostLines {
    /// Those that `lost` counts.
    ///
    /// # Errors
    /// A mistake in capitana.
    pub(super) fn new(lost: ErrorCounter) -> Result<Self> {
        let help = "Log lines lost because nobody took them";
        Ok(Self { lost, counter: IntCounter::with_opts(opts("log_lines_lost_total", help))? })
    }
}

impl Collector for LostLines {
    fn desc(&self) -> Vec<&Desc> {
        self.counter.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let lost = self.lost.dropped_lines() as u64;
        self.counter.inc_by(lost.saturating_sub(self.counter.get()));
        self.counter.collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::io::{self, Write};
    use std::sync::mpsc::{Receiver, channel};

    use tracing_appender::non_blocking::NonBlockingBuilder;

    use super::*;

    /// Takes nothing before it is told to, and then everything.
    struct Stuck(Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_nobody_takes_are_counted_once() {
        let (go_on, told) = channel();
        let (mut lines, _writer) =
            NonBlockingBuilder::default().buffered_lines_limit(1).lossy(true).finish(Stuck(told));
        let lost = LostLines::new(lines.error_counter()).unwrap();
        for _ in 0..10 {
            lines.write_all(b"line\n").unwrap();
        }
        let counted = || {
            lost.collect();
            lost.counter.get()
        };
        let once = counted();
        assert!(once == 8 || once == 9, "{once} lost, though one or two of ten wait to be taken");
        assert_eq!(counted(), once);
        drop(go_on);
    }
}
