//! What every connection of capitana's own to MariaDB has in common: the agent's checks and the proxy's monitoring. The
//! connections are their users'.

use std::time::Duration;

use capitana_core::threads::Thread;
use mysql_async::{Error as SqlError, IoError, OptsBuilder, Row, Value};

/// Given at connect so that the client library does not ask for it: a node outside the primary component answers
/// SELECT with error 1047. Replies here are small; the value is MariaDB's default.
const MAX_ALLOWED_PACKET: usize = 16 << 20;
/// Seconds a connection may rest. MariaDB's default, given for the same reason.
const WAIT_TIMEOUT: usize = 28_800;
/// A server on another host that vanished without a FIN is noticed in about twice this.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// A connection's settings, but for the address: `prefer_socket` would turn a check over loopback into one over the unix
/// socket.
#[must_use]
pub fn account(user: &str, password: Option<String>) -> OptsBuilder {
    OptsBuilder::default()
        .user(Some(user))
        .pass(password)
        .prefer_socket(false)
        .max_allowed_packet(Some(MAX_ALLOWED_PACKET))
        .wait_timeout(Some(WAIT_TIMEOUT))
        .stmt_cache_size(0)
        .tcp_keepalive(Some(KEEPALIVE))
}

/// Lists all sessions, for an account with the privilege PROCESS; else its own.
pub const SHOW_THREADS: &str = "SHOW PROCESSLIST";

/// What [`SHOW_THREADS`] answers. A line without a number is left out: nothing could be done about it.
#[must_use]
pub fn threads(rows: &[Row]) -> Vec<Thread> {
    let thread = |row: &Row| {
        let value = |name: &str| {
            let column = row.columns_ref().iter().position(|column| column.name_str() == name)?;
            text(row, column)
        };
        let word = |name: &str| value(name).unwrap_or_default();
        let id = value("Id")?.parse().ok()?;
        Some(Thread { id, user: word("User"), host: word("Host"), command: word("Command") })
    };
    rows.iter().filter_map(thread).collect()
}

/// A column as text, as well as it can be shown; none if it is NULL or not there. An answer is not taken on trust: the
/// library's own conversions panic at what they do not expect.
#[must_use]
pub fn text(row: &Row, column: usize) -> Option<String> {
    match row.as_ref(column)? {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        other => Some(other.as_sql(true)),
    }
}

/// The names and values that SHOW answers; what lacks either is left out.
pub fn pairs(rows: &[Row]) -> impl Iterator<Item = (String, String)> {
    rows.iter().filter_map(|row| Some((text(row, 0)?, text(row, 1)?)))
}

/// An error without the library's wrapping.
#[must_use]
pub fn words(error: &SqlError) -> String {
    match error {
        SqlError::Io(IoError::Io(io)) => io.to_string(),
        SqlError::Server(error) => error.to_string(),
        SqlError::Driver(error) => error.to_string(),
        error => error.to_string(),
    }
}
