//! Where log lines go and how they look: standard error, for people or as JSON. Installed once, by `main`.
//! What is logged is said where it happens.
//!
//! A thread of its own writes the lines. Whoever reads them may stand still, or keep them on a disk that hangs: then lines are
//! kept, and at last lost, and nothing else waits.

mod lost;

use std::env;
use std::io::{self, IsTerminal};

use prometheus::Registry;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;
use crate::error::Error;
use lost::LostLines;

/// Reads a filter: a level, or `target=level` directives with commas between.
///
/// `tracing` takes a word that is no level for the name of a module and shows everything of it and nothing else, so
/// `inof` would silence the daemon: such a word is refused here.
///
/// # Errors
/// Says what is wrong with which directive.
pub fn parse_filter(text: &str) -> Result<EnvFilter, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    for directive in text.split(',').map(str::trim) {
        let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
        if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            return Err(format!("\"{level}\" is not one of {}", LEVELS.join(", ")));
        }
    }
    EnvFilter::try_new(text).map_err(|error| error.to_string())
}

/// The filter `info` leaves out what the ZooKeeper client says of its sessions: capitana says it itself, in its own
/// words. Every other filter is taken as it is.
fn without_echo(filter: &str) -> &str {
    if filter.eq_ignore_ascii_case("info") { "info,zookeeper_client=error" } else { filter }
}

/// Puts another filter in the place of the one there is.
type SetFilter = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send>;

/// Lines that are kept while nobody takes them, some 2 MB of them. Each has a place of 32 bytes in a ring that memory is taken
/// for as it is written around for the first time.
const MOST_LINES: usize = 10_000;

/// What is logged, changed while the daemon runs. Dropped, it waits a moment for the lines that are left.
pub struct LogControl {
    set: SetFilter,
    lost: ErrorCounter,
    _writer: WorkerGuard,
}

impl LogControl {
    /// Logs by this filter from now on.
    ///
    /// # Errors
    /// The filter is not one (which the settings have checked before).
    pub fn set_filter(&self, filter: &str) -> Result<(), Error> {
        parse_filter(without_echo(filter)).and_then(|filter| (self.set)(filter)).map_err(Error::Internal)
    }

    /// Has `registry` show how many lines were lost.
    ///
    /// # Errors
    /// The name is taken already.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(LostLines::new(self.lost.clone())?))
    }
}

/// Sends what is logged from now on to standard error.
///
/// # Errors
/// The filter is not one (which the settings have checked before), or a subscriber is there already.
pub fn install(format: LogFormat, filter: &str) -> Result<LogControl, Error> {
    let filter = parse_filter(without_echo(filter)).map_err(Error::Internal)?;
    let colours = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none();
    let (lines, writer) =
        NonBlockingBuilder::default().buffered_lines_limit(MOST_LINES).lossy(true).finish(io::stderr());
    // Said on standard error, which panics when it is standard error that cannot be written: lines that cannot be
    // written are lost, and nothing else.
    let lost = lines.error_counter();
    let quiet = fmt().log_internal_errors(false);
    let lines = quiet.with_env_filter(filter).with_ansi(colours).with_writer(lines);
    let (installed, set): (_, SetFilter) = match format {
        LogFormat::Human => {
            let lines = lines.with_target(false).with_filter_reloading();
            let handle = lines.reload_handle();
            (
                lines.finish().try_init(),
                Box::new(move |filter| handle.reload(filter).map_err(|e| e.to_string())),
            )
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_filter_reloading();
            let handle = lines.reload_handle();
            (
                lines.finish().try_init(),
                Box::new(move |filter| handle.reload(filter).map_err(|e| e.to_string())),
            )
        }
    };
    installed.map_err(|error| Error::Internal(error.to_string()))?;
    Ok(LogControl { set, lost, _writer: writer })
}
