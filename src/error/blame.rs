//! Who has to act so that an error goes away, and the exit code that scripts see of it.

use super::{Error, Origin, WorkError};
use crate::exit;

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

impl Error {
    /// Who has to act.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Usage(_)
            | Self::Output(_)
            | Self::NotDrained { .. }
            | Self::Work(WorkError::NoTurn { .. })
            | Self::Template(_)
            | Self::WriteFile { .. }
            | Self::NoSettings { .. }
            | Self::Conflict { .. } => Fault::Client,
            Self::Kept { cause, .. } => cause.fault(),
            Self::Setting { .. }
            | Self::Syntax { .. }
            | Self::ReadFile { .. }
            | Self::ReadNamed { .. }
            | Self::AddressInUse { .. }
            | Self::PermissionDenied { .. }
            | Self::AddressNotHere { .. } => Fault::Configuration,
            Self::ZooKeeper { .. } | Self::NotWithdrawn { .. } | Self::Work(WorkError::TurnLost { .. }) => {
                Fault::ZooKeeper
            }
            Self::NoPrimary { .. } | Self::Server { .. } | Self::Privilege { .. } => Fault::Upstream,
            Self::Agent { .. }
            | Self::Listen { .. }
            | Self::System { .. }
            | Self::Work(WorkError::Vip { .. })
            | Self::Internal(_) => Fault::Proxy,
        }
    }

    /// The exit code, of `exit`.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Setting { origin: Origin::Flag(_), .. } => exit::USAGE,
            Self::Setting { .. } | Self::Syntax { .. } | Self::AddressNotHere { .. } => exit::CONFIG,
            Self::ReadFile { .. } | Self::ReadNamed { .. } | Self::NoSettings { .. } => exit::NO_INPUT,
            Self::Kept { cause, .. } => cause.exit_code(),
            Self::AddressInUse { .. } | Self::ZooKeeper { .. } | Self::Agent { .. } | Self::Server { .. } => {
                exit::UNAVAILABLE
            }
            Self::PermissionDenied { .. } | Self::Privilege { .. } => exit::NO_PERMISSION,
            Self::NoPrimary { .. }
            | Self::NotWithdrawn { .. }
            | Self::NotDrained { .. }
            | Self::Conflict { .. }
            | Self::Work(WorkError::NoTurn { .. } | WorkError::TurnLost { .. }) => exit::TRY_AGAIN,
            Self::Listen { .. } | Self::System { .. } | Self::Work(WorkError::Vip { .. }) => exit::OS_ERROR,
            Self::Template(_) => exit::DATA_ERROR,
            Self::Output(_) | Self::WriteFile { .. } => exit::IO_ERROR,
            Self::Internal(_) => exit::INTERNAL,
        }
    }
}
