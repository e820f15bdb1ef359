//! What keeps a client waiting, in words: for the client at the end of its time, and for the log where it does not wait
//! until then.

use std::fmt;
use std::time::Instant;

use capitana_core::waiting::Cause;
use capitana_core::{HostPort, Role};

use super::route::RouteState;
use super::shared::Shared;

/// Why a client is not let in for the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// There is nobody to go to, and why.
    Nobody(Role, String),
    /// The primary may lack writes; what its barrier waits for.
    Behind(HostPort, String),
    /// The servers have as many connections as they may have.
    Full(Whom),
    /// The servers do not take anybody, and why.
    Unreachable(Whom, String),
    /// Others are before this client.
    Turn(Whom),
}

/// Whom a client waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whom {
    role: Role,
    upstreams: Vec<HostPort>,
}

/// What a client waits for that came at `since`. `own` is its own last failure to reach a server, which says more than
/// another client's.
#[must_use]
pub fn obstacle(shared: &Shared, role: Role, since: Instant, own: Option<&(HostPort, String)>) -> Obstacle {
    let upstreams = match role {
        Role::Primary => primary(shared, since),
        Role::Replica => replicas(shared),
    };
    let whom = match upstreams {
        Ok(upstreams) => Whom { role, upstreams },
        Err(obstacle) => return obstacle,
    };
    let (cause, others) = shared.room.cause(role);
    if cause == Cause::NoPlace {
        return Obstacle::Full(whom);
    }
    let refused = own.or(others.as_ref()).filter(|(refused, _)| whom.upstreams.contains(refused));
    match refused.map(|(_, why)| why.clone()) {
        Some(why) => Obstacle::Unreachable(whom, why),
        None => Obstacle::Turn(whom),
    }
}

/// The primary, if a client that came at `since` may be let in there.
fn primary(shared: &Shared, since: Instant) -> Result<Vec<HostPort>, Obstacle> {
    let state = shared.routes.load().clone();
    let route = match &*state {
        RouteState::Closed { why, .. } => return Err(Obstacle::Nobody(Role::Primary, why.clone())),
        RouteState::Open(route) => route,
    };
    let upstream = route.upstream.clone();
    if !shared.barriers.admits(route.epoch, since) {
        return Err(Obstacle::Behind(upstream, shared.barriers.state().to_string()));
    }
    Ok(vec![upstream])
}

fn replicas(shared: &Shared) -> Result<Vec<HostPort>, Obstacle> {
    let serving = shared.replicas.load();
    match serving.why_nobody() {
        Some(why) => Err(Obstacle::Nobody(Role::Replica, why)),
        None => Ok(serving.members.iter().map(|replica| replica.route.upstream.clone()).collect()),
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, upstream) in self.upstreams.iter().enumerate() {
            write!(f, "{}{upstream}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody(role, why) => write!(f, "there is no {role}: {why}"),
            Self::Behind(upstream, barrier) => {
                write!(f, "the primary {upstream} is not known to have every write (barrier {barrier})")
            }
            Self::Full(whom) => write!(f, "capitana lets no more to {whom} (max-upstream-connections)"),
            Self::Unreachable(whom, why) => {
                write!(f, "the {} {whom} cannot be reached: {why}", whom.role)
            }
            Self::Turn(whom) => write!(f, "others are before this one at the {} {whom}", whom.role),
        }
    }
}
