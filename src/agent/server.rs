//! How the agent talks to its server: the connection's settings, the two statements of a check, the one the wire sleeps
//! in, and what an error says about the server. When to ask is decided in `poll` and `wire`; the statements that write
//! are `canary`'s.

use std::io::ErrorKind;
use std::time::Duration;

use capitana_core::health::{Reading, STATUS_NAMES, VARIABLE_NAMES};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Error as SqlError, IoError, Opts, Row};

use crate::config::{AgentConfig, ServerAddress};
use crate::error::{Error, Origin};
use crate::mariadb::{self, pairs, words};

/// What every session of the agent's begins with: a row is committed at once; a check does not wait for replication; the
/// wire's long statement is not killed for its length. A server need not know them all: MySQL knows only the first.
const SESSION: [&str; 3] = [
    "SET SESSION autocommit=1, wait_timeout=28800",
    "SET SESSION wsrep_sync_wait=0",
    "SET SESSION max_statement_time=0",
];
/// `DO SLEEP` would answer 1047 outside the primary component; this does not.
const SLEEP: &str = "SELECT SLEEP(10)";
/// How long `SLEEP` takes, less some slack for clocks.
const SLEEP_AT_LEAST: Duration = Duration::from_secs(9);

/// "Server shutdown in progress".
const ER_SERVER_SHUTDOWN: u16 = 1053;
/// "Unknown system variable".
const ER_UNKNOWN_SYSTEM_VARIABLE: u16 = 1193;
/// "Too many connections", and "User has already more than 'max_user_connections' active connections" in its two forms.
const FULL: [u16; 3] = [1040, 1203, 1226];

/// One MariaDB server and the account to check it with.
pub struct Server {
    opts: Opts,
}

/// Why a server could not be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Nobody takes connections there: it has crashed or is shutting down.
    Gone(String),
    /// Nobody answers within this time.
    Silent(Duration),
    /// The server is there, and has no connection left.
    Full(String),
    /// The server is there and refuses.
    Other(String),
}

impl Failure {
    /// The cause, for people.
    #[must_use]
    pub fn cause(self) -> String {
        match self {
            Self::Gone(cause) | Self::Full(cause) | Self::Other(cause) => cause,
            Self::Silent(limit) => format!("no connection within {limit:?}"),
        }
    }
}

/// How a sleep on the wire ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slept {
    /// It lasted as long as it should.
    Whole,
    /// It was ended early, or refused, by a server that answers.
    Interrupted,
}

impl Server {
    /// Reads the password and puts the connection's settings together.
    ///
    /// # Errors
    /// The password file cannot be read.
    pub fn new(config: &AgentConfig) -> Result<Self, Error> {
        let base = mariadb::account(&config.user, password(config)?);
        let opts = match &config.server {
            ServerAddress::Tcp(address) => base.ip_or_hostname(address.host()).tcp_port(address.port()),
            ServerAddress::Unix(path) => base.socket(Some(path.to_string_lossy())),
        };
        Ok(Self { opts: opts.into() })
    }

    /// Opens a connection and prepares its session, within `limit`.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn connect(&self, limit: Duration) -> Result<Conn, Failure> {
        match tokio::time::timeout(limit, self.open()).await {
            Ok(Ok(conn)) => Ok(conn),
            Ok(Err(error)) => Err(understand(&error)),
            Err(_) => Err(Failure::Silent(limit)),
        }
    }

    async fn open(&self) -> Result<Conn, SqlError> {
        let mut conn = Conn::new(self.opts.clone()).await?;
        for statement in SESSION {
            match conn.query_drop(statement).await {
                Err(SqlError::Server(error)) if error.code == ER_UNKNOWN_SYSTEM_VARIABLE => {}
                outcome => outcome?,
            }
        }
        Ok(conn)
    }
}

/// Makes one check.
///
/// # Errors
/// The server's error; the connection can be used again unless `is_fatal`.
pub async fn read(conn: &mut Conn) -> Result<Reading, SqlError> {
    let status: Vec<Row> = conn.query(show("STATUS", &STATUS_NAMES)).await?;
    let variables: Vec<Row> = conn.query(show("VARIABLES", &VARIABLE_NAMES)).await?;
    Ok(Reading::parse(pairs(&status).chain(pairs(&variables))))
}

/// Has the server sleep, so that something is outstanding on the connection and its end is noticed at once.
///
/// # Errors
/// The connection is broken.
pub async fn sleep(conn: &mut Conn) -> Result<Slept, SqlError> {
    let started = tokio::time::Instant::now();
    match conn.query_drop(SLEEP).await {
        Ok(()) if started.elapsed() >= SLEEP_AT_LEAST => Ok(Slept::Whole),
        // A killed connection answers the statement first and closes then: the ping sees that.
        Ok(()) | Err(SqlError::Server(_)) => conn.ping().await.map(|()| Slept::Interrupted),
        Err(error) => Err(error),
    }
}

/// What an error at connecting says about the server.
#[must_use]
pub fn understand(error: &SqlError) -> Failure {
    let cause = words(error);
    if matches!(error, SqlError::Server(error) if FULL.contains(&error.code)) {
        return Failure::Full(cause);
    }
    let gone = match error {
        SqlError::Io(IoError::Io(io)) => matches!(
            io.kind(),
            ErrorKind::ConnectionRefused
                | ErrorKind::NotFound
                | ErrorKind::ConnectionReset
                | ErrorKind::UnexpectedEof
                | ErrorKind::BrokenPipe
        ),
        SqlError::Driver(DriverError::ConnectionClosed) => true,
        SqlError::Server(error) => error.code == ER_SERVER_SHUTDOWN,
        _ => false,
    };
    if gone { Failure::Gone(cause) } else { Failure::Other(cause) }
}

fn show(what: &str, names: &[&str]) -> String {
    format!("SHOW GLOBAL {what} WHERE Variable_name IN ('{}')", names.join("','"))
}

fn password(config: &AgentConfig) -> Result<Option<String>, Error> {
    let Some(secret) = &config.password else { return Ok(None) };
    secret.read().map(Some).map_err(|error| Error::Setting {
        origin: Origin::Unset("password-file".to_owned()),
        problem: format!("cannot read {secret}: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use mysql_async::ServerError;

    use super::*;

    fn io_error(kind: ErrorKind) -> SqlError {
        SqlError::Io(IoError::Io(io::Error::from(kind)))
    }

    fn server_error(code: u16) -> SqlError {
        SqlError::Server(ServerError { code, message: String::new(), state: "08004".to_owned() })
    }

    #[test]
    fn a_server_that_takes_no_connections_is_gone() {
        for kind in [ErrorKind::ConnectionRefused, ErrorKind::NotFound, ErrorKind::ConnectionReset] {
            assert!(matches!(understand(&io_error(kind)), Failure::Gone(_)), "{kind}");
        }
        assert!(matches!(understand(&server_error(ER_SERVER_SHUTDOWN)), Failure::Gone(_)));
    }

    #[test]
    fn a_server_that_is_full_or_refuses_the_account_is_not_gone() {
        for code in [1040, 1203, 1226] {
            assert!(matches!(understand(&server_error(code)), Failure::Full(_)), "{code}");
        }
        for code in [1045, 1129] {
            assert!(matches!(understand(&server_error(code)), Failure::Other(_)), "{code}");
        }
    }

    #[test]
    fn a_server_that_cannot_be_reached_may_still_be_there() {
        for kind in [ErrorKind::TimedOut, ErrorKind::HostUnreachable, ErrorKind::PermissionDenied] {
            assert!(matches!(understand(&io_error(kind)), Failure::Other(_)), "{kind}");
        }
    }
}
