//! Which keys a settings file may have, and which of the daemons it is for.
//! What the keys mean is in `settings`.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use clap::{Args, Command};

use super::document::Document;
use super::load::DaemonArgs;
use super::password;
use super::settings::{AgentSettings, Change, ProxySettings, WorkerSettings};
use super::source::{PREFIX, key, variable};
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
    /// For `capitana worker`
    Worker,
}

impl Kind {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Proxy, Self::Agent, Self::Worker];

    /// The keys that a settings file of this kind may have: the names of the daemon's flags.
    #[must_use]
    pub fn keys(self) -> Vec<String> {
        let command = match self {
            Self::Proxy => DaemonArgs::<ProxySettings>::augment_args(Command::new("proxy")),
            Self::Agent => DaemonArgs::<AgentSettings>::augment_args(Command::new("agent")),
            Self::Worker => DaemonArgs::<WorkerSettings>::augment_args(Command::new("worker")),
        };
        let flags = command.get_arguments().filter_map(|flag| flag.get_long());
        flags.filter(|flag| *flag != "config").map(str::to_owned).collect()
    }

    /// When a change of each of these keys takes effect.
    #[must_use]
    pub fn changes(self) -> Vec<(String, Change)> {
        let changes = match self {
            Self::Proxy => DaemonArgs::<ProxySettings>::changes(),
            Self::Agent => DaemonArgs::<AgentSettings>::changes(),
            Self::Worker => DaemonArgs::<WorkerSettings>::changes(),
        };
        changes.into_iter().map(|(id, change)| (key(id), change)).collect()
    }

    /// Which daemon `document` is for: the one with more of its keys, or else the one in the file's name.
    #[must_use]
    pub fn detect(document: &Document) -> Option<Self> {
        let count = |kind: Self| {
            let keys = kind.keys();
            document.keys().filter(|key| keys.iter().any(|known| known == key)).count()
        };
        let name = document.path()?.file_name()?.to_string_lossy().to_lowercase();
        let counts = Self::ALL.map(count);
        let most = counts.into_iter().max()?;
        let mut likely =
            Self::ALL.into_iter().zip(counts).filter(|(_, count)| *count == most).map(|(kind, _)| kind);
        match (likely.next(), likely.next()) {
            (Some(only), None) => Some(only),
            _ => Self::ALL.into_iter().find(|kind| name.contains(&kind.to_string())),
        }
    }

    /// Where the daemon's admin endpoint is unless a setting says otherwise: on this host only. None: nowhere.
    #[must_use]
    pub fn admin_listen(self) -> Option<SocketAddr> {
        let port = match self {
            Self::Proxy => PROXY_ADMIN_PORT,
            Self::Agent => 9308,
            Self::Worker => return None,
        };
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    fn others(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |kind| *kind != self)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proxy => "proxy",
            Self::Agent => "agent",
            Self::Worker => "worker",
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
    } else if let Some(other) = kind.others().find(|other| other.keys().iter().any(|key| key == unknown)) {
        format!("this is a setting of the {other}, and this file is for the {kind}")
    } else {
        match closest(unknown, &known) {
            Some(meant) => format!("unknown key; did you mean {meant}?"),
            None => format!("unknown key; `capitana {kind} --help` lists the settings"),
        }
    };
    let origin = document.origin(unknown).unwrap_or_else(|| Origin::Unset(unknown.to_owned()));
    Err(Error::Setting { origin, problem })
}

/// Checks that `document`, which is in ZooKeeper or is to be, says nothing there that a running daemon cannot take over.
///
/// # Errors
/// The first key that cannot stand there, and why.
pub fn check_live(document: &Document, kind: Kind) -> Result<(), Error> {
    check(document, kind)?;
    let changes = kind.changes();
    for key in document.keys() {
        let problem = match changes.iter().find(|(known, _)| known == key) {
            Some((_, Change::Host)) => {
                "it names something of one host, or is carried out with the rights of clients, so it cannot stand in \
                 ZooKeeper: set it in the settings file of the host"
            }
            Some((_, Change::Restart)) => {
                "it takes effect only at a start, which comes before ZooKeeper is read: set it in each host's settings \
                 file and restart"
            }
            Some((_, Change::Live)) | None => continue,
        };
        let origin = document.origin(key).unwrap_or_else(|| Origin::Unset(key.to_owned()));
        return Err(Error::Setting { origin, problem: problem.to_owned() });
    }
    Ok(())
}

/// Environment variables that look like a setting of the daemon but are none: one line each. Others that begin with
/// `CAPITANA_` may be anybody's and are left alone.
pub(super) fn misspelt(variables: impl Iterator<Item = String>, kind: Kind) -> Vec<String> {
    let known = kind.keys();
    let others: Vec<_> = kind.others().flat_map(Kind::keys).collect();
    let secrets: Vec<_> = password::variables().collect();
    let meant = |variable: String| {
        let key = key(&variable.strip_prefix(PREFIX)?.to_ascii_lowercase());
        if secrets.contains(&variable) || key == "config" || known.contains(&key) || others.contains(&key) {
            return None;
        }
        let meant = variable_of(closest(&key, &known)?);
        Some(format!("environment variable {variable}: no setting has this name; did you mean {meant}?"))
    };
    variables.filter_map(meant).collect()
}

fn variable_of(key: &str) -> String {
    variable(&key.replace('-', "_"))
}

fn closest<'a>(unknown: &str, known: &'a [String]) -> Option<&'a str> {
    let likeness = |key: &str| strsim::jaro_winkler(unknown, key);
    let closest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(closest) >= ALIKE).then_some(closest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misspelt_by_proxy(variable: &str) -> Vec<String> {
        misspelt([variable.to_owned()].into_iter(), Kind::Proxy)
    }

    #[test]
    fn a_misspelt_variable_comes_with_the_one_that_was_meant() {
        let lines = misspelt_by_proxy("CAPITANA_HOLD_TIMOUT");
        assert!(lines[0].ends_with("did you mean CAPITANA_HOLD_TIMEOUT?"), "{lines:?}");
    }

    #[test]
    fn variables_of_settings_and_of_others_are_left_alone() {
        for variable in
            ["CAPITANA_HOLD_TIMEOUT", "CAPITANA_CONFIG", "CAPITANA_FALL", "CAPITANA_BIN", "HOLD_TIMOUT"]
        {
            assert_eq!(misspelt_by_proxy(variable), Vec::<String>::new());
        }
    }

    #[test]
    fn variables_that_hold_a_secret_themselves_are_not_misspelt() {
        for variable in ["CAPITANA_ZOOKEEPER_AUTH", "CAPITANA_PASSWORD", "CAPITANA_MONITOR_PASSWORD"] {
            assert_eq!(misspelt_by_proxy(variable), Vec::<String>::new());
        }
    }
}
