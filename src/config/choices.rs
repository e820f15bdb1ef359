//! What the proxy's settings let one choose: what sessions begin with, and who or what stands in where something is
//! missing; and the words for it. What follows from a choice is where it is made use of.

use std::net::SocketAddr;

use capitana_core::Role;

use super::value::Word;

/// Statements that sessions begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitSql {
    /// For those of `listen`. None: nothing.
    pub primary: Option<String>,
    /// For those of `replica_listen`.
    pub replica: Option<String>,
    /// What becomes of a session with TLS.
    pub encrypted: InitSqlEncrypted,
}

impl InitSql {
    /// The statement for sessions of this role.
    #[must_use]
    pub fn of(&self, role: Role) -> Option<&str> {
        match role {
            Role::Primary => self.primary.as_deref(),
            Role::Replica => self.replica.as_deref(),
        }
    }
}

/// What becomes of a session with TLS, into which nobody can put a first statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InitSqlEncrypted {
    /// It is ended: no session without the statement.
    Refuse,
    /// It goes on without the statement.
    Pass,
}

/// Who serves clients that only read while there is no replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplicaFallback {
    /// The primary.
    Primary,
    /// Nobody: they wait for `hold-timeout`, then they are told.
    None,
}

/// What to do with a new primary that did not pass the barrier in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BarrierFallback {
    /// Open it with a warning: a first read may miss a write acknowledged before.
    Open,
    /// Keep clients waiting and try on.
    Hold,
}

/// An address to accept clients on, or the word that there is to be none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenOrOff {
    /// This address.
    At(SocketAddr),
    /// None.
    Off,
}

impl Word for ListenOrOff {
    const EXPECTED: &'static str = "an IP address and a port, such as \"0.0.0.0:3307\", or \"off\"";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            address => SocketAddr::read(address).map(Self::At),
        }
    }
}

/// One statement for a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql(pub String);

/// Far more than a SET statement needs, and far less than a packet holds.
const LONGEST_SQL: usize = 4096;

impl Word for Sql {
    const EXPECTED: &'static str =
        "one SQL statement of 1 to 4096 bytes, such as \"SET SESSION wsrep_sync_wait=1\"";

    fn read(text: &str) -> Result<Self, String> {
        let fits = !text.trim().is_empty() && text.len() <= LONGEST_SQL && !text.contains('\0');
        if fits { Ok(Self(text.to_owned())) } else { Err(String::new()) }
    }
}
