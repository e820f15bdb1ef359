//! How a session ended: one enum that is the log's field, the metric's label and what tests assert.

use std::fmt;

use serde::Serialize;

/// Who ended a session, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// The client closed its connection.
    ClientClosed,
    /// The client's connection broke.
    ClientError,
    /// The client answered no more, or took nothing for `stall-timeout`.
    ClientTimeout,
    /// The client went away while it waited for a server.
    ClientGaveUp,
    /// The server closed its connection.
    UpstreamClosed,
    /// The server's connection broke.
    UpstreamError,
    /// The server answered no more, or took nothing for `stall-timeout`.
    UpstreamTimeout,
    /// Another primary was elected, or the replica serves no more, and the session could not be drained: no account for
    /// it, or no answer.
    EpochEnded,
    /// Another primary was elected, or the replica serves no more, and the session was idle.
    Drained,
    /// Another primary was elected, or the replica serves no more, and the session was not idle in time.
    DrainTimeout,
    /// There was no server within the hold time.
    HoldTimeout,
    /// Too many clients were waiting already.
    HoldFull,
    /// The listener's limit of connections was reached.
    TooManyConnections,
    /// The listener's limit of connections of one client was reached.
    TooManyOfClient,
    /// The servers had as many sessions as they may have, for the hold time.
    UpstreamFull,
    /// The handshake took too long.
    HandshakeTimeout,
    /// The client's first packet was not one of MySQL's.
    BadHandshake,
    /// The client sent a PROXY header that it may not send.
    ProxyHeaderRefused,
    /// An address that has to send a PROXY header sent none, or none that can be read.
    ProxyHeaderMissing,
    /// The statement that sessions begin with was not carried out.
    InitSqlFailed,
    /// The client asked for TLS where sessions begin with a statement.
    InitSqlEncrypted,
    /// The proxy was stopped.
    Shutdown,
    /// An operator ended it on the admin endpoint.
    Operator,
}

impl EndReason {
    /// Every reason, so that each metric exists from the start.
    pub const ALL: [Self; 23] = [
        Self::ClientClosed,
        Self::ClientError,
        Self::ClientTimeout,
        Self::ClientGaveUp,
        Self::UpstreamClosed,
        Self::UpstreamError,
        Self::UpstreamTimeout,
        Self::EpochEnded,
        Self::Drained,
        Self::DrainTimeout,
        Self::HoldTimeout,
        Self::HoldFull,
        Self::TooManyConnections,
        Self::TooManyOfClient,
        Self::UpstreamFull,
        Self::HandshakeTimeout,
        Self::BadHandshake,
        Self::ProxyHeaderRefused,
        Self::ProxyHeaderMissing,
        Self::InitSqlFailed,
        Self::InitSqlEncrypted,
        Self::Shutdown,
        Self::Operator,
    ];

    /// The reason as a metric's label and a log's field.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::ClientClosed => "client-closed",
            Self::ClientError => "client-error",
            Self::ClientTimeout => "client-timeout",
            Self::ClientGaveUp => "client-gave-up",
            Self::UpstreamClosed => "upstream-closed",
            Self::UpstreamError => "upstream-error",
            Self::UpstreamTimeout => "upstream-timeout",
            Self::EpochEnded => "epoch-ended",
            Self::Drained => "drained",
            Self::DrainTimeout => "drain-timeout",
            Self::HoldTimeout => "hold-timeout",
            Self::HoldFull => "hold-full",
            Self::TooManyConnections => "too-many-connections",
            Self::TooManyOfClient => "too-many-of-client",
            Self::UpstreamFull => "upstream-full",
            Self::HandshakeTimeout => "handshake-timeout",
            Self::BadHandshake => "bad-handshake",
            Self::ProxyHeaderRefused => "proxy-header-refused",
            Self::ProxyHeaderMissing => "proxy-header-missing",
            Self::InitSqlFailed => "init-sql-failed",
            Self::InitSqlEncrypted => "init-sql-encrypted",
            Self::Shutdown => "shutdown",
            Self::Operator => "operator",
        }
    }

    /// Whether the client has gone by itself, so that nothing can be said to it.
    #[must_use]
    pub fn is_clients_going(self) -> bool {
        matches!(self, Self::ClientClosed | Self::ClientError | Self::ClientTimeout)
    }

    /// Whether the server has gone by itself.
    #[must_use]
    pub fn is_servers_going(self) -> bool {
        matches!(self, Self::UpstreamClosed | Self::UpstreamError | Self::UpstreamTimeout)
    }

    /// The position in `ALL`, for tables of counters.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
