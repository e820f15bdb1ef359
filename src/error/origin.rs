//! Where a setting's value came from, as errors name it.

use std::fmt;
use std::path::PathBuf;

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
