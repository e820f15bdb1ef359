//! What can end a `capitana` command: each error names the thing, the cause and the remedy; whose fault it is, and the exit
//! code, are in `blame`. How a session ends is not an error of the daemon and is not here.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

mod blame;

/// Who has to act so that an error goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Whoever typed the command or opened the connection.
    Client,
    /// capitana, or the machine on which it runs.
    Proxy,
    /// MariaDB.
    Upstream,
    /// The ZooKeeper ensemble, or the way to it.
    ZooKeeper,
    /// Whoever wrote the settings.
    Configuration,
}

/// Where a setting's value came from. Shown as the start of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag, without its dashes.
    Flag(String),
    /// An environment variable.
    Environment(String),
    /// A key in a settings file.
    File {
        /// The file, as it was named.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// The key on that line.
        key: String,
    },
    /// A key in a version of the settings in ZooKeeper.
    ZooKeeper {
        /// The znode.
        path: String,
        /// The version.
        version: i32,
        /// Counted from one.
        line: usize,
        /// The key on that line.
        key: String,
    },
    /// Nobody set it: its default holds, or it has none.
    Unset(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::File { path, line, key } => write!(f, "{}:{line}: {key}", path.display()),
            Self::ZooKeeper { path, version, line, key } => {
                write!(f, "ZooKeeper {path} version {version}:{line}: {key}")
            }
            Self::Unset(key) => write!(f, "setting {key}"),
        }
    }
}

/// What ends a command. Its `Display` is one line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line does not make sense. The text is clap's and may have several lines.
    #[error("{0}")]
    Usage(String),

    /// A setting has a value that cannot be used, or is missing.
    #[error("{origin}: {problem}")]
    Setting {
        /// Where the value came from.
        origin: Origin,
        /// What was expected and what was found.
        problem: String,
    },

    /// Settings are not TOML.
    #[error("{place}:{line}: {problem}")]
    Syntax {
        /// The file or the znode.
        place: String,
        /// Counted from one.
        line: usize,
        /// What the parser did not understand.
        problem: String,
    },

    /// A settings file cannot be read.
    #[error("{}: cannot read the settings file: {source}", path.display())]
    ReadFile {
        /// The file, as it was named.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// A file that a setting names cannot be read.
    #[error("{origin}: cannot read {}: {cause}", path.display())]
    ReadNamed {
        /// Where the setting came from.
        origin: Origin,
        /// The file it names.
        path: PathBuf,
        /// Why.
        cause: String,
    },

    /// Another process listens there.
    #[error(
        "{setting}: {address} is in use by another process: stop it (`ss -ltnp` names it) or choose another address"
    )]
    AddressInUse {
        /// The setting's key.
        setting: &'static str,
        /// The address it asks for.
        address: SocketAddr,
    },

    /// The operating system does not let this user listen there.
    #[error(
        "{setting}: no permission to listen on {address}: \
         a port below 1024 needs root or CAP_NET_BIND_SERVICE; choose a higher one"
    )]
    PermissionDenied {
        /// The setting's key.
        setting: &'static str,
        /// The address it asks for.
        address: SocketAddr,
    },

    /// This machine has no such address.
    #[error("{setting}: {address} is not an address of this machine (`ip address` lists them)")]
    AddressNotHere {
        /// The setting's key.
        setting: &'static str,
        /// The address it asks for.
        address: SocketAddr,
    },

    /// Listening failed for another reason.
    #[error("{setting}: cannot listen on {address}: {source}")]
    Listen {
        /// The setting's key.
        setting: &'static str,
        /// The address it asks for.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },

    /// ZooKeeper did not answer, or not in time.
    #[error("ZooKeeper at {ensemble}: {problem}")]
    ZooKeeper {
        /// The connect string.
        ensemble: String,
        /// What happened, and what may help.
        problem: String,
    },

    /// The election has no member that could be the primary.
    #[error(
        "no primary: {election_path} has no acceptable member; is an agent running and its server healthy?"
    )]
    NoPrimary {
        /// The election's znode.
        election_path: String,
    },

    /// The agent that runs on this host did not take an order.
    #[error(
        "the agent at {address}: {problem} \
         (it is looked for at admin-listen: is it running, with the same settings?)"
    )]
    Agent {
        /// Where it was looked for.
        address: SocketAddr,
        /// What happened.
        problem: String,
    },

    /// The agent stepped down, and its znode may still be there.
    #[error("stepped down, but not out of the election yet: {why}")]
    NotWithdrawn {
        /// What it waits for.
        why: String,
    },

    /// A server could not be asked.
    #[error("the server {server}: {problem}")]
    Server {
        /// Its address.
        server: String,
        /// What happened.
        problem: String,
    },

    /// The account may not ask what has to be asked.
    #[error(
        "the server {server}: {account} does not see other accounts' sessions, so nothing was done: \
         GRANT {privilege} ON *.* TO {account}, or do without --wait"
    )]
    Privilege {
        /// The server's address.
        server: String,
        /// The account.
        account: String,
        /// What it lacks.
        privilege: &'static str,
    },

    /// Clients have not left a server in time.
    #[error(
        "stepped down, and {left} client sessions are left on {server} after {} ({who}): \
         wait on with the same command, or end them there",
        humantime::format_duration(*waited)
    )]
    NotDrained {
        /// The server's address.
        server: String,
        /// How long they were waited for.
        waited: Duration,
        /// How many there are.
        left: usize,
        /// Whose they are.
        who: String,
    },

    /// The operating system refused something ordinary, such as a thread.
    #[error("{doing}: {source}")]
    System {
        /// What was being done, as in "cannot start a runtime".
        doing: &'static str,
        /// Why.
        source: io::Error,
    },

    /// A template cannot be used: where, and what is wrong there.
    #[error("template {0}")]
    Template(String),

    /// A file that a flag names cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// Standard output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(#[source] io::Error),

    /// A mistake in capitana.
    #[error("internal error, please report it: {0}")]
    Internal(String),
}

impl Error {
    /// The error of a bind or listen on `address`, which the setting `setting` asks for.
    #[must_use]
    pub fn listen(setting: &'static str, address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddressInUse { setting, address },
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { setting, address },
            io::ErrorKind::AddrNotAvailable => Self::AddressNotHere { setting, address },
            _ => Self::Listen { setting, address, source },
        }
    }
}
