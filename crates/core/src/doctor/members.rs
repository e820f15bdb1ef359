//! Judges the children of the election's znode: are they candidates, each of its own, and can agents reach one another?

use std::collections::BTreeMap;

use super::finding::{Finding, kinds};
use crate::{AllowList, MemberData, RawMember, RawView, SkipReason, View};

kinds! {
    NO_MEMBER = Warning "ZK-NO-MEMBER",
        "Without a candidate there is no primary: new clients wait, and are refused when their time is up.",
        "Start the agents, and see in their /readyz why a server is not fit.";
    CHILD_PERSISTENT = Warning "ZK-CHILD-PERSISTENT",
        "A persistent child outlives its server. capitana's proxies skip it; a watcher that takes the first name would follow it for ever.",
        "Delete it.";
    CHILD_FOREIGN = Info "ZK-CHILD-FOREIGN",
        "A child whose name is not node- and a sequence number is skipped, and may be taken for a primary by others.",
        "Delete it, or keep it elsewhere.";
    CHILD_UNREADABLE = Warning "ZK-CHILD-UNREADABLE",
        "A candidate whose data is neither a host, host:port nor capitana's JSON is skipped: its server never leads.",
        "Correct what its agent writes.";
    CHILD_NOT_ALLOWED = Warning "ZK-CHILD-NOT-ALLOWED",
        "A candidate outside allow-upstreams is skipped: somebody stands who should not, or a server never leads.",
        "Find out who created it, or add its address to allow-upstreams.";
    DUPLICATE = Warning "ZK-CHILD-DUPLICATE",
        "A server that stands twice leads again when its first znode goes: two agents watch it, or one has left a ghost.",
        "Stop the second agent, or give each server an address of its own in `advertise`.";
    PEERS_UNREACHABLE = Warning "FENCE-PEERS",
        "fence-quorum asks the other agents before it fences: those that name no admin address cannot be asked.",
        "Set admin-advertise on every agent, and admin-listen to an address that the others reach.";
}

/// What speaks against one reading of the election.
#[must_use]
pub fn examine(subject: &str, raw: &RawView, allowed: &AllowList) -> Vec<Finding> {
    let view = View::read(raw, allowed);
    let mut findings = Vec::new();
    if view.members.is_empty() {
        let found =
            if raw.exists { "no child is a candidate" } else { "the election's znode does not exist" };
        findings.push(NO_MEMBER.at(subject, found));
    }
    for child in &view.skipped {
        let kind = match child.reason {
            SkipReason::Name => CHILD_FOREIGN,
            SkipReason::Persistent => CHILD_PERSISTENT,
            SkipReason::TooLarge | SkipReason::Unparsable => CHILD_UNREADABLE,
            SkipReason::NotAllowed => CHILD_NOT_ALLOWED,
        };
        findings.push(kind.at(subject, format!("{} is skipped: {}", child.name, child.reason.label())));
    }
    findings.extend(duplicates(subject, &view, raw));
    findings
}

/// Candidates with one address, or with one GUID: no two registrations share one.
fn duplicates(subject: &str, view: &View, raw: &RawView) -> Vec<Finding> {
    let mut names: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for member in &view.members {
        names.entry(format!("the address {}", member.upstream)).or_default().push(&member.name);
    }
    for child in &raw.members {
        if let Some(guid) = data(child).and_then(|data| data.guid) {
            names.entry(format!("the GUID {guid}")).or_default().push(&child.name);
        }
    }
    let twice = names.iter().filter(|(_, names)| names.len() > 1);
    twice.map(|(what, names)| DUPLICATE.at(subject, format!("{} have {what}", names.join(" and ")))).collect()
}

/// Candidates that other agents cannot ask, where agents ask one another.
#[must_use]
pub fn peers(subject: &str, raw: &RawView) -> Option<Finding> {
    let silent: Vec<_> = raw
        .members
        .iter()
        .filter(|child| data(child).is_none_or(|data| data.admin.is_none()))
        .map(|child| child.name.as_str())
        .collect();
    let found = format!("no admin address in {}", silent.join(", "));
    (!silent.is_empty()).then(|| PEERS_UNREACHABLE.at(subject, found))
}

fn data(child: &RawMember) -> Option<MemberData> {
    serde_json::from_slice(&child.data).ok()
}
