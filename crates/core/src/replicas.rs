//! Which members serve reads: those in the election that are not its primary, have a weight, and do not lag. It owns the
//! hysteresis of `max-lag` and the rule of the fallback. Who of them gets the next session is `waiting`'s; that a member
//! is in the election because it is fit is its agent's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use crate::waiting::Target;
use crate::{HostPort, Member, Route};

/// What is asked of a replica, and what happens without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The longest receive queue, in write sets, of a member that serves. None: any.
    pub max_lag: Option<u64>,
    /// Whether the primary serves while there is no replica.
    pub fallback: bool,
}

/// Why a member serves no reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It is the primary.
    Primary,
    /// Its receive queue is longer than `max-lag`, or was and is not yet half as long.
    Lagging,
    /// Its weight is 0.
    NoWeight,
    /// Another member of the election names the same server, and serves.
    Doubled,
}

/// A member that serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replica {
    /// Where it stands in the election, and its address.
    #[serde(flatten)]
    pub route: Route,
    /// Its share of the sessions.
    pub weight: u32,
}

/// A member that does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Aside {
    /// Its address.
    pub upstream: HostPort,
    /// Why.
    pub reason: Reason,
}

/// Who serves reads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Serving {
    /// Where sessions go, by age. Empty: nowhere, and those there are stay where they are.
    pub members: Vec<Replica>,
    /// Whether the only one is the primary, for want of a replica.
    pub by_fallback: bool,
    /// The other members of the election, by age.
    pub aside: Vec<Aside>,
}

impl Serving {
    /// Where a session that goes to this server stands in the election. None: it does not serve.
    #[must_use]
    pub fn route_to(&self, upstream: &HostPort) -> Option<&Route> {
        self.members.iter().map(|replica| &replica.route).find(|route| route.upstream == *upstream)
    }

    /// Whether a session on this server may stay. While nobody serves there is no better place. A member that has left and
    /// come back is the same server: its sessions stay.
    #[must_use]
    pub fn keeps(&self, upstream: &HostPort) -> bool {
        self.members.is_empty() || self.route_to(upstream).is_some()
    }

    /// The servers as the waiting room wants them.
    #[must_use]
    pub fn targets(&self) -> Vec<Target> {
        let target =
            |replica: &Replica| Target { upstream: replica.route.upstream.clone(), weight: replica.weight };
        self.members.iter().map(target).collect()
    }

    /// Why nobody serves, for the client that waited. Nothing while somebody does.
    #[must_use]
    pub fn why_nobody(&self) -> Option<String> {
        if !self.members.is_empty() {
            return None;
        }
        if self.aside.is_empty() {
            return Some("no server is registered in the election".to_owned());
        }
        let count = |reason| self.aside.iter().filter(|aside| aside.reason == reason).count();
        let (lagging, weightless) = (count(Reason::Lagging), count(Reason::NoWeight));
        Some(format!(
            "of {} members of the election {lagging} lag (max-lag), {weightless} have the weight 0, and the primary \
             does not stand in (replica-fallback)",
            self.aside.len()
        ))
    }
}

/// Follows who serves. The members that lag are all it remembers.
#[derive(Debug, Default)]
pub struct Replicas {
    lagging: BTreeSet<HostPort>,
}

impl Replicas {
    /// Who serves now: `members` by age, and the primary that is elected among them.
    pub fn serving(&mut self, members: &[Member], primary: Option<&Route>, rules: Rules) -> Serving {
        self.lagging = members
            .iter()
            .filter(|member| is_lagging(member, self.lagging.contains(&member.upstream), rules.max_lag))
            .map(|member| member.upstream.clone())
            .collect();
        let mut serving = Serving::default();
        for member in members {
            match self.objection(member, primary, &serving) {
                None => serving.members.push(replica(member, member.weight)),
                Some(reason) => {
                    serving.aside.push(Aside { upstream: member.upstream.clone(), reason });
                }
            }
        }
        if let Some(primary) = primary.filter(|_| serving.members.is_empty() && rules.fallback) {
            serving.members.push(Replica { route: primary.clone(), weight: 1 });
            serving.by_fallback = true;
        }
        serving
    }

    fn objection(&self, member: &Member, primary: Option<&Route>, serving: &Serving) -> Option<Reason> {
        if primary.is_some_and(|primary| primary.upstream == member.upstream) {
            return Some(Reason::Primary);
        }
        if member.weight == 0 {
            return Some(Reason::NoWeight);
        }
        if self.lagging.contains(&member.upstream) {
            return Some(Reason::Lagging);
        }
        serving.route_to(&member.upstream).map(|_| Reason::Doubled)
    }
}

fn replica(member: &Member, weight: u32) -> Replica {
    Replica { route: Route { epoch: member.epoch, upstream: member.upstream.clone() }, weight }
}

/// One that lags has to come down to half of the limit, so that a queue about as long as the limit does not have its
/// sessions ended again and again. An agent that does not say how long the queue is has none.
fn is_lagging(member: &Member, did: bool, max_lag: Option<u64>) -> bool {
    let limit = max_lag.map(|most| if did { most / 2 } else { most });
    limit.zip(member.lag).is_some_and(|(limit, lag)| lag > limit)
}

/// Since when sessions are being drained from each server that serves no more.
#[derive(Debug, Default)]
pub struct Departures {
    since: BTreeMap<HostPort, Duration>,
}

impl Departures {
    /// These servers still have sessions that have to go. What is drained, or serves again, is forgotten.
    pub fn see(&mut self, left: impl IntoIterator<Item = HostPort>, now: Duration) {
        let before = std::mem::take(&mut self.since);
        let since = |upstream: HostPort| {
            let since = before.get(&upstream).copied().unwrap_or(now);
            (upstream, since)
        };
        self.since = left.into_iter().map(since).collect();
    }

    /// The servers whose sessions have had `limit` to go.
    pub fn overdue(&self, limit: Duration, now: Duration) -> impl Iterator<Item = &HostPort> {
        let is_over = move |since: &Duration| now.saturating_sub(*since) >= limit;
        self.since.iter().filter(move |(_, since)| is_over(since)).map(|(upstream, _)| upstream)
    }
}
