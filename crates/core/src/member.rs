//! One candidate of the election as ZooKeeper stores it (`RawMember`), as it is understood (`Member`), and the
//! data an agent writes (`MemberData`). Sorting them and choosing one is in `view` and `election`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AllowList, HostPort};

/// The name every candidate's znode begins with; ZooKeeper appends its sequence number in ten digits. Plain, so that
/// `sorted(children)[0]` in any language names the primary, until the number wraps.
pub const MEMBER_PREFIX: &str = "node-";

/// The sequence number in a candidate's name, if the name is one: `node-` and a number as ZooKeeper writes it. That is
/// a signed 32-bit number in ten characters, or eleven (`node--2147483648`); one of 64 bits, if it ever comes to that,
/// has 19. It is for people; the order is that of creation.
#[must_use]
pub fn sequence(name: &str) -> Option<i64> {
    let digits = name.strip_prefix(MEMBER_PREFIX)?;
    let number: i64 = digits.parse().ok()?;
    // A leading plus, a missing or superfluous zero: ZooKeeper has not written that.
    [format!("{number:010}"), format!("{number:019}")].iter().any(|text| text == digits).then_some(number)
}

/// The name of the next candidate beside `names` once ZooKeeper's own counter has come to its end: it stays at 2147483647
/// then (seen with 3.8) and refuses every further sequential znode while one of that number is there. The names go on as
/// the counter would: with the negative numbers.
#[must_use]
pub fn name_after_wrap<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let last = names.into_iter().filter_map(sequence).filter(|number| *number < 0).max();
    let next = last.map_or(i64::from(i32::MIN), |last| last.saturating_add(1));
    format!("{MEMBER_PREFIX}{next:010}")
}

/// Longest member data that is read; capitana's own JSON is below 500 bytes, ZooKeeper's limit is 1 MB.
pub const MAX_MEMBER_DATA: usize = 4096;

/// A primary's epoch: the zxid of the transaction that created its znode. ZooKeeper's zxids only grow, so of two
/// epochs the larger is the newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub i64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A child of the election path as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMember {
    /// The znode's name without its parent.
    pub name: String,
    /// The znode's creation zxid.
    pub czxid: i64,
    /// The session that holds the znode; 0 for a persistent one.
    pub ephemeral_owner: i64,
    /// The znode's data.
    pub data: Vec<u8>,
}

/// A candidate that can be followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// The znode's name without its parent.
    pub name: String,
    /// Where this candidate's MariaDB listens.
    pub upstream: HostPort,
    /// Its epoch, should it lead.
    pub epoch: Epoch,
    /// The node's name for people, where the data gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Its share of sessions that are spread over several members.
    pub weight: u32,
    /// How long its receive queue was, in write sets, where the data says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
}

/// What capitana's agent writes into its znode. Fields of other versions are ignored when it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberData {
    /// The host clients' connections go to.
    pub host: String,
    /// The port; 3306 where it is left out.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Tells a znode of ours from every other, also after the reply to its creation was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guid: Option<String>,
    /// The node's name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The version of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When the server became fit, in milliseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// The node's share of sessions that are spread over several nodes; 100 where it is left out, and none if it is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Where other agents reach this one's admin endpoint, `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<String>,
    /// Counts the agent's starts on this node, so that an earlier one's znode is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<u64>,
    /// How long Galera's receive queue (`wsrep_local_recv_queue`) was when the agent last said so, in write sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
}

/// The weight of a member that does not say its own.
pub const DEFAULT_WEIGHT: u32 = 100;

fn default_port() -> u16 {
    crate::DEFAULT_PORT
}

/// Why a child of the election path is not followed. The label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// Its name is not `node-` and a number.
    Name,
    /// It is not ephemeral, so it would outlive its server.
    Persistent,
    /// Its data is longer than `MAX_MEMBER_DATA`.
    TooLarge,
    /// Its data is neither `host`, `host:port` nor capitana's JSON.
    Unparsable,
    /// It names an upstream outside the allow-list.
    NotAllowed,
}

impl SkipReason {
    /// Every reason, so that each metric exists from the start.
    pub const ALL: [Self; 5] =
        [Self::Name, Self::Persistent, Self::TooLarge, Self::Unparsable, Self::NotAllowed];

    /// The reason as a metric's label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Persistent => "persistent",
            Self::TooLarge => "too-large",
            Self::Unparsable => "unparsable",
            Self::NotAllowed => "not-allowed",
        }
    }
}

/// A child that is not followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The znode's name, cut to 60 characters.
    pub name: String,
    /// The znode's creation zxid, which tells one refusal from the next.
    pub epoch: Epoch,
    /// Why.
    pub reason: SkipReason,
}

impl RawMember {
    /// Understands this child, or says why it is skipped.
    ///
    /// # Errors
    /// The reason to skip it.
    pub fn read(&self, allowed: &AllowList) -> Result<Member, SkipReason> {
        if sequence(&self.name).is_none() {
            return Err(SkipReason::Name);
        }
        if self.ephemeral_owner == 0 {
            return Err(SkipReason::Persistent);
        }
        if self.data.len() > MAX_MEMBER_DATA {
            return Err(SkipReason::TooLarge);
        }
        let member = self.understand().ok_or(SkipReason::Unparsable)?;
        if !allowed.allows(&member.upstream) {
            return Err(SkipReason::NotAllowed);
        }
        Ok(member)
    }

    fn understand(&self) -> Option<Member> {
        let (name, epoch) = (self.name.clone(), Epoch(self.czxid));
        let text = std::str::from_utf8(&self.data).ok()?.trim();
        if !text.starts_with('{') {
            let upstream = text.parse().ok()?;
            return Some(Member { name, upstream, epoch, node: None, weight: DEFAULT_WEIGHT, lag: None });
        }
        let data: MemberData = serde_json::from_str(text).ok()?;
        let upstream = HostPort::new(&data.host, data.port).ok()?;
        let weight = data.weight.unwrap_or(DEFAULT_WEIGHT);
        Some(Member { name, upstream, epoch, node: data.node, weight, lag: data.lag })
    }
}
