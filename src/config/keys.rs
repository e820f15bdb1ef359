//! Which keys a settings file may have, and which of the two daemons it is for.
//! What the keys mean is in `settings`.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use clap::{Args, Command};

use super::document::Document;
use super::load::DaemonArgs;
use super::settings::{AgentSettings, ProxySettings};
use crate::error::{Error, Origin};

/// The port of the proxy's admin endpoint unless a setting says otherwise.
pub const PROXY_ADMIN_PORT: u16 = 9307;

/// How alike two keys must be (Jaro-Winkler) for one to be suggested for the other; clap uses 0.7 for flags.
const ALIKE: f64 = 0.8;

/// Which daemon a settings file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// For `capitana proxy`
    Proxy,
    /// For `capitana agent`
    Agent,
}

impl Kind {
    /// The keys that a settings file of this kind may have: the names of the daemon's flags.
    #[must_use]
    pub fn keys(self) -> Vec<String> {
        let command = match self {
            Self::Proxy => DaemonArgs::<ProxySettings>::augment_args(Command::new("proxy")),
            Self::Agent => DaemonArgs::<AgentSettings>::augment_args(Command::new("agent")),
        };
        let flags = command.get_arguments().filter_map(|flag| flag.get_long());
        flags.filter(|flag| *flag != "config").map(str::to_owned).collect()
    }

    /// Which daemon `document` is for: the one with more of its keys, or else the one in the file's name.
    #[must_use]
    pub fn detect(document: &Document) -> Option<Self> {
        let count = |kind: Self| {
            let keys = kind.keys();
            document.keys().filter(|key| keys.iter().any(|known| known == key)).count()
        };
        let name = document.path().file_name()?.to_string_lossy().to_lowercase();
        match (count(Self::Proxy), count(Self::Agent)) {
            (proxy, agent) if proxy > agent => Some(Self::Proxy),
            (proxy, agent) if proxy < agent => Some(Self::Agent),
            _ if name.contains("proxy") => Some(Self::Proxy),
            _ if name.contains("agent") => Some(Self::Agent),
            _ => None,
        }
    }

    /// Where the daemon's admin endpoint is unless a setting says otherwise: on this host only.
    #[must_use]
    pub fn admin_listen(self) -> SocketAddr {
        let port = match self {
            Self::Proxy => PROXY_ADMIN_PORT,
            Self::Agent => 9308,
        };
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    fn other(self) -> Self {
        match self {
            Self::Proxy => Self::Agent,
            Self::Agent => Self::Proxy,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proxy => "proxy",
            Self::Agent => "agent",
        })
    }
}

/// Checks that `document` has only keys of its kind.
///
/// # Errors
/// The first key that is none, and the one that was probably meant.
pub fn check(document: &Document, kind: Kind) -> Result<(), Error> {
    let known = kind.keys();
    let Some(unknown) = document.keys().find(|key| !known.iter().any(|known| known == key)) else {
        return Ok(());
    };
    let problem = if document.is_table(unknown) {
        "settings are not grouped in tables: write each key at the top level".to_owned()
    } else if kind.other().keys().iter().any(|key| key == unknown) {
        format!("this is a setting of the {}, and this file is for the {kind}", kind.other())
    } else {
        match closest(unknown, &known) {
            Some(meant) => format!("unknown key; did you mean {meant}?"),
            None => format!("unknown key; `capitana {kind} --help` lists the settings"),
        }
    };
    let origin = document.origin(unknown).unwrap_or_else(|| Origin::Unset(unknown.to_owned()));
    Err(Error::Setting { origin, problem })
}

fn closest<'a>(unknown: &str, known: &'a [String]) -> Option<&'a str> {
    let likeness = |key: &str| strsim::jaro_winkler(unknown, key);
    let closest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(closest) >= ALIKE).then_some(closest)
}
