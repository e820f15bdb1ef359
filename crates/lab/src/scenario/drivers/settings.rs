//! What a driver is told for one run: whom to connect to, and with what of the protocol.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::certs::Certificates;

/// The big packet: more than four times what one packet of the protocol holds, so that it travels in five.
const BIG_BYTES: usize = 64 << 20;
/// Where each byte costs the driver and the server more: still more than one packet of the protocol holds.
const LESS_BYTES: usize = 20 << 20;

/// An account that proves its password with `mysql_native_password`.
pub(super) const NATIVE: Account = Account { user: "drivers", password: "drivers-password" };
/// An account that proves its password with a signature.
pub(super) const ED25519: Account = Account { user: "drivers_ed25519", password: "another-password" };

pub(super) struct Account {
    pub(super) user: &'static str,
    pub(super) password: &'static str,
}

/// What of the protocol a run uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Plain,
    Compressed,
    Tls,
    Ed25519,
    /// TLS, compression and ed25519 at once.
    Everything,
    /// TLS with a certificate authority that did not sign the server's certificate: the driver must refuse it.
    OtherAuthority,
    /// TLS while the server shows a certificate for another name: the driver must refuse it.
    OtherName,
}

impl Mode {
    pub(super) const ALL: [Self; 7] = [
        Self::Plain,
        Self::Compressed,
        Self::Tls,
        Self::Ed25519,
        Self::Everything,
        Self::OtherAuthority,
        Self::OtherName,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Compressed => "compressed",
            Self::Tls => "TLS",
            Self::Ed25519 => "ed25519",
            Self::Everything => "TLS, compressed, ed25519",
            Self::OtherAuthority => "TLS with another authority",
            Self::OtherName => "TLS with a certificate for another name",
        }
    }

    pub(super) fn tls(self) -> bool {
        !matches!(self, Self::Plain | Self::Compressed | Self::Ed25519)
    }

    pub(super) fn compressed(self) -> bool {
        matches!(self, Self::Compressed | Self::Everything)
    }

    pub(super) fn must_fail(self) -> bool {
        matches!(self, Self::OtherAuthority | Self::OtherName)
    }

    fn big_bytes(self) -> usize {
        match self {
            Self::Plain => BIG_BYTES,
            Self::Compressed | Self::Tls => LESS_BYTES,
            Self::Ed25519 | Self::Everything | Self::OtherAuthority | Self::OtherName => 0,
        }
    }

    fn account(self) -> Account {
        if matches!(self, Self::Ed25519 | Self::Everything) { ED25519 } else { NATIVE }
    }

    /// The line that a transcript holds if the mode was really in use.
    pub(super) fn proof(self) -> String {
        if self.must_fail() {
            return String::from("refused");
        }
        let tls = if self.tls() { "TLSv1.3" } else { "-" };
        let compression = if self.compressed() { "ON" } else { "OFF" };
        let ed25519 = matches!(self, Self::Ed25519 | Self::Everything);
        format!("session {tls} {compression} {}", if ed25519 { "ed25519" } else { "mysql_native_password" })
    }
}

/// The settings of one run, which the Python drivers read as JSON.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Settings {
    pub(super) driver: &'static str,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) database: Option<String>,
    /// The certificate authority to trust, for TLS.
    pub(super) ca: Option<PathBuf>,
    pub(super) compressed: bool,
    pub(super) must_fail: bool,
    /// A directory for files of its own.
    pub(super) directory: PathBuf,
    /// The bytes of a value to send and of one to receive; 0: none.
    pub(super) big_bytes: usize,
}

/// What all runs of a scenario share.
pub(super) struct Surroundings {
    pub(super) certificates: Certificates,
    pub(super) other_authority: Certificates,
    pub(super) directory: PathBuf,
}

impl Surroundings {
    pub(super) fn settings(&self, driver: &'static str, mode: Mode, address: SocketAddr) -> Settings {
        let account = mode.account();
        Settings {
            driver,
            host: address.ip().to_string(),
            port: address.port(),
            user: account.user.into(),
            password: account.password.into(),
            database: None,
            ca: mode.tls().then(|| self.authority(mode).to_owned()),
            compressed: mode.compressed(),
            must_fail: mode.must_fail(),
            directory: self.directory.clone(),
            big_bytes: mode.big_bytes(),
        }
    }

    fn authority(&self, mode: Mode) -> &Path {
        let certificates =
            if mode == Mode::OtherAuthority { &self.other_authority } else { &self.certificates };
        &certificates.authority
    }
}
