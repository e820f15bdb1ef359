//! What can end a `capitana` command: each error names the thing, the cause and the remedy; whose fault it is, and the exit
//! code, are in `blame`. How a session ends is not an error of the daemon and is not here.

mod blame;
mod origin;
mod work;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::keys::Kind;

pub use blame::Fault;
pub use origin::Origin;
pub use work::WorkError;

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

    /// There are no settings in ZooKeeper, or not in this version.
    #[error(
        "ZooKeeper {path}: there are no settings{}: `capitana config history {kind}` lists what there is, \
         `capitana config set {kind} FILE` writes some",
        version.map(|version| format!(" of version {version}")).unwrap_or_default()
    )]
    NoSettings {
        /// The znode.
        path: String,
        /// Which version was wanted; none: any.
        version: Option<i32>,
        /// Whose settings.
        kind: Kind,
    },

    /// Somebody else has written settings in ZooKeeper.
    #[error(
        "ZooKeeper {path}: {}, and not {}: {changed}; nothing is written: look at it with `capitana config get`",
        found.map_or("there is no version now".to_owned(), |found| format!("it is version {found} now")),
        expected.map_or("none".to_owned(), |expected| expected.to_string())
    )]
    Conflict {
        /// The znode.
        path: String,
        /// The version that was to be replaced.
        expected: Option<i32>,
        /// The version that is there.
        found: Option<i32>,
        /// Who has changed what.
        changed: String,
    },

    /// Something was typed and is not written.
    #[error("{cause}; what you have typed is in {}", path.display())]
    Kept {
        /// The file that has it.
        path: PathBuf,
        /// Why it is not written.
        cause: Box<Error>,
    },

    /// A worker, or an address that is held, cannot go on.
    #[error(transparent)]
    Work(#[from] WorkError),

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
