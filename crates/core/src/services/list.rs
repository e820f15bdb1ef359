//! The list of services: children of the services' path, by kind, as they were read (`RawService`) and as they are
//! understood (`Services`). Where they come from is not known here.

use serde::Serialize;

use super::{ConfigInUse, ServiceData};
use crate::HostPort;

/// Longest data that is read; capitana's own is below 500 bytes, ZooKeeper's limit is 1 MB.
pub const MAX_SERVICE_DATA: usize = 4096;
/// Longest text in it, in characters: a host name's length.
const LONGEST_TEXT: usize = 253;
/// The most addresses of one service.
const MOST_ADDRESSES: usize = 64;

/// A child of a kind's znode as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawService {
    /// The kind: the parent's name.
    pub kind: String,
    /// The znode's name without its parents.
    pub id: String,
    /// The session that holds the znode; 0 for a persistent one.
    pub ephemeral_owner: i64,
    /// The znode's data.
    pub data: Vec<u8>,
}

/// A running process. By kind, node and address, so that a list has an order of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Service {
    /// `proxy`, `agent`, `worker`, or what somebody else has registered as.
    pub kind: String,
    /// The node's name, for people; empty where it gave none.
    pub node: String,
    /// Where it serves its clients.
    pub addresses: Vec<String>,
    /// Where its admin endpoint can be reached; none: nowhere.
    pub admin: Option<HostPort>,
    /// Its version; empty where it gave none.
    pub version: String,
    /// When it was started, in UTC by RFC 3339; empty where it did not say.
    pub since: String,
    /// How the settings stand that it has from ZooKeeper; none: it looks at none, or did not say.
    pub config: Option<ConfigInUse>,
    /// What tells it from every other process, also from itself before a restart: its znode's name.
    pub id: String,
}

/// Why a child is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flaw {
    /// It is not ephemeral, so it would outlive its process.
    Persistent,
    /// Its data is longer than `MAX_SERVICE_DATA`.
    TooLarge,
    /// Its data is not what a service writes.
    Unparsable,
}

impl Flaw {
    /// In a word.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Persistent => "persistent",
            Self::TooLarge => "too-large",
            Self::Unparsable => "unparsable",
        }
    }
}

/// A child that is left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LeftOut {
    /// Its kind.
    pub kind: String,
    /// Its znode's name.
    pub id: String,
    /// Why.
    pub reason: Flaw,
}

/// All that was read, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Services {
    /// The running processes.
    pub services: Vec<Service>,
    /// Children that are none.
    pub left_out: Vec<LeftOut>,
}

impl Services {
    /// Understands a reading.
    #[must_use]
    pub fn read(raw: Vec<RawService>) -> Self {
        let mut all = Self::default();
        for child in raw {
            match child.read() {
                Ok(service) => all.services.push(service),
                Err(reason) => {
                    all.left_out.push(LeftOut { kind: shown(&child.kind), id: shown(&child.id), reason });
                }
            }
        }
        all.services.sort();
        all.left_out.sort();
        all
    }
}

impl RawService {
    fn read(&self) -> Result<Service, Flaw> {
        if self.ephemeral_owner == 0 {
            return Err(Flaw::Persistent);
        }
        if self.data.len() > MAX_SERVICE_DATA {
            return Err(Flaw::TooLarge);
        }
        // A list would be taken for the fields in their order.
        if !self.data.trim_ascii_start().starts_with(b"{") {
            return Err(Flaw::Unparsable);
        }
        let data: ServiceData = serde_json::from_slice(&self.data).map_err(|_| Flaw::Unparsable)?;
        let standing = data.config.as_ref().map(|config| &config.standing);
        let texts =
            [&self.kind, &self.id, &data.node, &data.version, &data.since].into_iter().chain(standing);
        let are_texts = texts.chain(&data.addresses).all(|text| is_text(text));
        if !are_texts || data.addresses.len() > MOST_ADDRESSES {
            return Err(Flaw::Unparsable);
        }
        Ok(Service {
            kind: self.kind.clone(),
            admin: admin(&data.admin)?,
            node: data.node,
            addresses: data.addresses,
            version: data.version,
            since: data.since,
            config: data.config,
            id: self.id.clone(),
        })
    }
}

/// What is written into files, labels and terminals must be one line of characters that only show themselves.
fn is_text(text: &str) -> bool {
    text.chars().count() <= LONGEST_TEXT && !text.contains(char::is_control)
}

/// `http://host:port`, which is all that a daemon serves.
fn admin(url: &str) -> Result<Option<HostPort>, Flaw> {
    if url.is_empty() {
        return Ok(None);
    }
    let address = url.strip_prefix("http://").ok_or(Flaw::Unparsable)?;
    let behind_brackets = address.rsplit(']').next().unwrap_or_default();
    if !behind_brackets.contains(':') {
        return Err(Flaw::Unparsable);
    }
    address.trim_end_matches('/').parse().map(Some).map_err(|_| Flaw::Unparsable)
}

fn shown(text: &str) -> String {
    text.chars().take(60).map(|c| if c.is_control() { '?' } else { c }).collect()
}
