//! Where a server is (`HostPort`) and which servers the election may name (`AllowList`).
//! Resolving names is not done here.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// MariaDB's registered port, taken where an address names none.
pub const DEFAULT_PORT: u16 = 3306;

/// A host (name or IP address) and a TCP port. Written `host:port`, `1.2.3.4:port` or `[::1]:port`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct HostPort {
    /// Shared by all copies: every session has one.
    host: Arc<str>,
    port: u16,
}

/// Why a text is not a `HostPort`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostPortError {
    /// The host part is empty, too long or has a character that no host name has.
    #[error("\"{0}\" is not a host name or an IP address")]
    Host(String),
    /// The port part is not a number from 1 to 65535.
    #[error("\"{0}\" is not a port (1 to 65535)")]
    Port(String),
}

impl HostPort {
    /// Checks both parts. `host` is a DNS name (RFC 1123, underscores tolerated) or an IP address without brackets.
    ///
    /// # Errors
    /// Names the part that is wrong.
    pub fn new(host: &str, port: u16) -> Result<Self, HostPortError> {
        if port == 0 {
            return Err(HostPortError::Port("0".into()));
        }
        if host.parse::<IpAddr>().is_err() && !is_host_name(host) {
            return Err(HostPortError::Host(shorten(host)));
        }
        Ok(Self { host: host.to_ascii_lowercase().into(), port })
    }

    /// The host, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host as an IP address, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl FromStr for HostPort {
    type Err = HostPortError;

    /// Reads `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address; the port defaults to 3306.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.parse::<IpAddr>().is_ok() {
            return Self::new(text, DEFAULT_PORT);
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (host, port) = rest.split_once(']').ok_or_else(|| HostPortError::Host(shorten(text)))?;
            return match port.strip_prefix(':') {
                Some(port) => Self::new(host, parse_port(port)?),
                None if port.is_empty() => Self::new(host, DEFAULT_PORT),
                None => Err(HostPortError::Port(shorten(port))),
            };
        }
        match text.split_once(':') {
            Some((host, port)) => Self::new(host, parse_port(port)?),
            None => Self::new(text, DEFAULT_PORT),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl From<HostPort> for String {
    fn from(value: HostPort) -> Self {
        value.to_string()
    }
}

impl TryFrom<String> for HostPort {
    type Error = HostPortError;

    fn try_from(value: String) -> Result<Self, Self::Error> {
        value.parse()
    }
}

fn parse_port(text: &str) -> Result<u16, HostPortError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err(HostPortError::Port(shorten(text))),
    }
}

/// RFC 1123 section 2.1 limits, and underscores, which are common in private zones.
fn is_host_name(host: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
}

/// What is quoted from input that may be long or hostile: printable ASCII, 60 characters at most.
fn shorten(text: &str) -> String {
    text.chars().take(60).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// One entry of an allow-list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowRule {
    /// An IP network; matches members given as IP addresses.
    Network {
        /// The network's address; bits behind the prefix are ignored.
        base: IpAddr,
        /// Leading bits that count.
        prefix: u8,
    },
    /// One host name, matched without regard to case.
    Name(String),
    /// Every name below this domain (`*.db.internal`), held without the `*`, with its dot.
    Suffix(String),
}

impl FromStr for AllowRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            || format!("\"{}\" is not a network (10.0.0.0/8), a host name or *.domain", shorten(text));
        if let Some((base, prefix)) = text.split_once('/') {
            let base: IpAddr = base.parse().map_err(|_| wrong())?;
            let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
            return if prefix <= bits(base) { Ok(Self::Network { base, prefix }) } else { Err(wrong()) };
        }
        if let Ok(base) = text.parse::<IpAddr>() {
            return Ok(Self::Network { base, prefix: bits(base) });
        }
        if let Some(domain) = text.strip_prefix("*.") {
            return if is_host_name(domain) {
                Ok(Self::Suffix(format!(".{}", domain.to_ascii_lowercase())))
            } else {
                Err(wrong())
            };
        }
        if is_host_name(text) { Ok(Self::Name(text.to_ascii_lowercase())) } else { Err(wrong()) }
    }
}

fn bits(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

impl AllowRule {
    /// Whether it is a network with this address in it.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        matches!(self, Self::Network { base, prefix } if in_network(ip, *base, *prefix))
    }

    fn allows(&self, member: &HostPort) -> bool {
        match self {
            Self::Network { base, prefix } => member.ip().is_some_and(|ip| in_network(ip, *base, *prefix)),
            Self::Name(name) => member.host() == name,
            Self::Suffix(suffix) => member.ip().is_none() && member.host().ends_with(suffix.as_str()),
        }
    }
}

fn in_network(ip: IpAddr, base: IpAddr, prefix: u8) -> bool {
    let (ip, base, width) = match (ip, base) {
        (IpAddr::V4(ip), IpAddr::V4(base)) => (u128::from(ip.to_bits()), u128::from(base.to_bits()), 32),
        (IpAddr::V6(ip), IpAddr::V6(base)) => (ip.to_bits(), base.to_bits(), 128),
        _ => return false,
    };
    prefix == 0 || (ip ^ base) >> (width - u32::from(prefix)) == 0
}

/// Which upstreams the election may name. An empty list allows every one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowList(Vec<AllowRule>);

impl AllowList {
    /// A list of these rules.
    #[must_use]
    pub fn new(rules: Vec<AllowRule>) -> Self {
        Self(rules)
    }

    /// Whether a proxy may connect to `member`.
    #[must_use]
    pub fn allows(&self, member: &HostPort) -> bool {
        self.0.is_empty() || self.0.iter().any(|rule| rule.allows(member))
    }
}
