//! The vocabulary of the settings: durations, addresses, counts, znode paths. Each says what it expects.
//! What values mean together is checked in `resolve`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use capitana_core::{AllowRule, HostPort, HostPortError};

use super::ServerAddress;
use super::value::{Word, shorten};
use crate::logging::parse_filter;

/// Longer durations are taken for a mistake, and could overflow a deadline.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

impl Word for Duration {
    const EXPECTED: &'static str = "a duration such as \"8s\", \"500ms\" or \"1m 30s\"";

    fn read(text: &str) -> Result<Self, String> {
        match humantime::parse_duration(text) {
            Ok(duration) if duration > LONGEST => Err(format!("\"{}\" is longer than a year", shorten(text))),
            Ok(duration) => Ok(duration),
            Err(_) => Err(String::new()),
        }
    }
}

/// A duration that is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period(pub Duration);

impl Word for Period {
    const EXPECTED: &'static str = "a duration longer than 0, such as \"8s\", \"500ms\" or \"1m 30s\"";

    fn read(text: &str) -> Result<Self, String> {
        match Duration::read(text)? {
            Duration::ZERO => Err(String::new()),
            duration => Ok(Self(duration)),
        }
    }
}

/// How long ZooKeeper keeps a silent session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimeout(pub Duration);

/// ZooKeeper grants 20 of its ticks at most: 40 s on its defaults. Its protocol has 32 bits for the milliseconds, and what
/// does not fit would come out as another duration.
const LONGEST_SESSION: Duration = Duration::from_secs(3600);

impl Word for SessionTimeout {
    const EXPECTED: &'static str = "a duration longer than 0 and of 1h at most, such as \"6s\"";

    fn read(text: &str) -> Result<Self, String> {
        match Period::read(text)?.0 {
            duration if duration > LONGEST_SESSION => {
                Err(format!("\"{}\" is longer than an hour", shorten(text)))
            }
            duration => Ok(Self(duration)),
        }
    }
}

impl Word for usize {
    const EXPECTED: &'static str = "a whole number, 0 or more";
    const NUMBER: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| String::new())
    }
}

impl Word for NonZeroUsize {
    const EXPECTED: &'static str = "a whole number, 1 or more";
    const NUMBER: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| String::new())
    }
}

impl Word for NonZeroU32 {
    const EXPECTED: &'static str = "a whole number, 1 or more";
    const NUMBER: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| String::new())
    }
}

impl Word for u32 {
    const EXPECTED: &'static str = "a whole number, 0 or more";
    const NUMBER: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| String::new())
    }
}

impl Word for SocketAddr {
    const EXPECTED: &'static str = "an IP address and a port, such as \"0.0.0.0:3306\" or \"[::]:3306\"";

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| String::new())
    }
}

impl Word for IpAddr {
    const EXPECTED: &'static str = "an IP address, such as \"10.0.0.5\" or \"fd00::5\"";

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| String::new())
    }
}

impl Word for HostPort {
    const EXPECTED: &'static str = "host:port, such as \"db1.internal:3306\"";

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error| format!("{error}"))
    }
}

impl Word for AllowRule {
    const EXPECTED: &'static str = "a network, a host name or *.domain";

    fn read(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl Word for ServerAddress {
    const EXPECTED: &'static str = "host:port, or the path of a unix socket that starts with /";

    fn read(text: &str) -> Result<Self, String> {
        if text.starts_with('/') {
            return Ok(Self::Unix(PathBuf::from(text)));
        }
        HostPort::read(text).map(Self::Tcp)
    }
}

/// What an agent tells the proxies to connect to; the port may be left to the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertised {
    /// The host, with a port that counts only if `has_port`.
    pub address: HostPort,
    /// Whether the text names a port.
    pub has_port: bool,
}

impl Advertised {
    /// The address, with this port if the text names none.
    ///
    /// # Errors
    /// `port` is 0.
    pub fn or_port(&self, port: u16) -> Result<HostPort, HostPortError> {
        let port = if self.has_port { self.address.port() } else { port };
        HostPort::new(self.address.host(), port)
    }
}

impl fmt::Display for Advertised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl Word for Advertised {
    const EXPECTED: &'static str = "a host, or host:port, that the proxies can reach";

    fn read(text: &str) -> Result<Self, String> {
        let behind_brackets = text.rsplit(']').next().unwrap_or(text);
        let bare_address = text.parse::<IpAddr>().is_ok();
        Ok(Self { address: HostPort::read(text)?, has_port: !bare_address && behind_brackets.contains(':') })
    }
}

/// The path of a znode that is not the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZnodePath(pub String);

impl Word for ZnodePath {
    const EXPECTED: &'static str = "the path of a znode, such as \"/mariadb/primary\"";

    fn read(text: &str) -> Result<Self, String> {
        let name =
            |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(char::is_control);
        match text.strip_prefix('/') {
            Some(names) if names.split('/').all(name) => Ok(Self(text.to_owned())),
            _ => Err(String::new()),
        }
    }
}

/// Where settings are kept in ZooKeeper. None: they are not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigPath(pub Option<String>);

impl Word for ConfigPath {
    const EXPECTED: &'static str = "the path of a znode, such as \"/capitana/config\", or \"off\"";

    fn read(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        ZnodePath::read(text).map(|path| Self(Some(path.0)))
    }
}

/// ZooKeeper's connect string, each server with its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ensemble(pub String);

/// ZooKeeper's registered client port.
const ZOOKEEPER_PORT: u16 = 2181;

impl Word for Ensemble {
    const EXPECTED: &'static str = "ZooKeeper servers, such as \"zk1:2181,zk2:2181,zk3:2181/chroot\"";

    fn read(text: &str) -> Result<Self, String> {
        let (servers, chroot) = match text.find('/') {
            Some(slash) => text.split_at(slash),
            None => (text, ""),
        };
        if !chroot.is_empty() {
            ZnodePath::read(chroot).map_err(|_| format!("\"{}\" is not a znode path", shorten(chroot)))?;
        }
        let servers: Result<Vec<_>, _> = servers.split(',').map(server).collect();
        Ok(Self(servers?.join(",") + chroot))
    }
}

fn server(text: &str) -> Result<String, String> {
    let server = Advertised::read(text.trim())?.or_port(ZOOKEEPER_PORT);
    let server = server.map_err(|error| error.to_string())?;
    Ok(server.to_string())
}

/// What is logged, in `tracing`'s words; checked when it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(pub String);

impl Word for LogFilter {
    const EXPECTED: &'static str =
        "a level such as \"info\", or directives such as \"info,capitana::proxy=debug\"";

    fn read(text: &str) -> Result<Self, String> {
        parse_filter(text).map(|_| Self(text.to_owned()))
    }
}

/// A name for people, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(pub String);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Word for Name {
    const EXPECTED: &'static str = "a name of 1 to 253 printable characters";

    fn read(text: &str) -> Result<Self, String> {
        let fits = (1..=253).contains(&text.chars().count()) && !text.contains(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(String::new()) }
    }
}
