//! What keeps a client waiting, in words: for the client at the end of its time, and for the log where it does not wait
//! until then.

use std::fmt;
use std::time::Instant;

use capitana_core::HostPort;
use capitana_core::waiting::Cause;

use super::route::RouteState;
use super::shared::Shared;

/// Why a client is not let in for the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// There is no primary, and why.
    NoPrimary(String),
    /// The primary may lack writes; what its barrier waits for.
    Behind(HostPort, String),
    /// The primary has as many connections as it may have.
    Full(HostPort),
    /// The primary does not take anybody, and why.
    Unreachable(HostPort, String),
    /// Others are before this client.
    Turn(HostPort),
}

/// What a client waits for that came at `since`. `own` is its own last failure to reach a server, which says more than
/// another client's.
#[must_use]
pub fn obstacle(shared: &Shared, since: Instant, own: Option<&(HostPort, String)>) -> Obstacle {
    let state = shared.routes.load().clone();
    let route = match &*state {
        RouteState::Closed { why, .. } => return Obstacle::NoPrimary(why.clone()),
        RouteState::Open(route) => route,
    };
    let upstream = route.upstream.clone();
    if !shared.barriers.admits(route.epoch, since) {
        return Obstacle::Behind(upstream, shared.barriers.state().to_string());
    }
    let (cause, others) = shared.room.cause();
    if cause == Cause::NoPlace {
        return Obstacle::Full(upstream);
    }
    match own.or(others.as_ref()).filter(|(refused, _)| *refused == upstream) {
        Some((_, why)) => Obstacle::Unreachable(upstream, why.clone()),
        None => Obstacle::Turn(upstream),
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPrimary(why) => write!(f, "there is no primary: {why}"),
            Self::Behind(upstream, barrier) => {
                write!(f, "the primary {upstream} is not known to have every write (barrier {barrier})")
            }
            Self::Full(upstream) => {
                write!(f, "capitana lets no more to {upstream} (max-upstream-connections)")
            }
            Self::Unreachable(upstream, why) => write!(f, "the primary {upstream} cannot be reached: {why}"),
            Self::Turn(upstream) => write!(f, "others are before this one at the primary {upstream}"),
        }
    }
}
