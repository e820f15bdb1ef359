//! What must hold of fences: a server whose agent is cut off is fenced in time, and none is fenced for nothing.

use super::{Checked, violated};
use crate::context::{MILLI, Micros, SECOND};
use crate::world::World;

/// What was decided longer ago has taken effect.
const DECIDED: Micros = 100 * MILLI;

impl World {
    /// Where an agent is cut off, its server is fenced before ZooKeeper ends its session, if it runs and its server
    /// answers. With `fence-quorum` only if another agent sees ZooKeeper all the time.
    pub(super) fn a_primary_is_fenced_before_its_session_ends(&self) -> Checked {
        if !self.plan.agent.fencing.on {
            return Ok(());
        }
        let truth = &self.net.zookeeper.truth;
        for znode in &self.checks.children {
            // An agent that has lost its state knows nothing of the session it had before, nor of its end.
            let its_own = self.agents[znode.node].registrar.guid == znode.guid;
            let expired = its_own && !truth.sessions.contains(&znode.session);
            if expired
                && !self.was_misled(znode.session)
                && self.had_to_fence(znode.node)
                && !self.databases[znode.node].fenced
            {
                return violated(
                    "a_primary_is_fenced_before_its_session_ends",
                    format!("the session of node {} is over and its server is not fenced", znode.node),
                );
            }
        }
        Ok(())
    }

    /// A leader that is cut off with an agent, and does not know yet that another one leads, goes on to acknowledge the
    /// agent's heartbeats for up to `syncLimit`. That agent may fence too late: what ZooKeeper says can be relied on no
    /// further.
    fn was_misled(&self, session: i64) -> bool {
        let recent = self.net.ctx.now.saturating_sub(2 * self.plan.zookeeper.session_timeout);
        self.net.zookeeper.misled.iter().any(|(other, at)| *other == session && *at >= recent)
    }

    fn had_to_fence(&self, node: usize) -> bool {
        let (now, timeout) = (self.net.ctx.now, self.plan.zookeeper.session_timeout);
        let before = |since: Option<Micros>| since.is_some_and(|since| since + timeout + SECOND <= now);
        let runs = |node: usize| {
            let agent = &self.agents[node];
            agent.alive && self.frozen[node].is_none() && before(Some(agent.running_since))
        };
        let sees = |other: usize| other != node && runs(other) && before(self.agents[other].holding_since);
        let asked = !self.plan.agent.fencing.quorum || (0..self.agents.len()).any(sees);
        // Whoever holds a lease is not cut off: that session was an earlier one.
        let cut_off = !self.agents[node].guard.holds(now);
        cut_off
            && runs(node)
            && !self.agents[node].stopping
            && asked
            && before(self.checks.answering_since[node])
    }

    /// With `fence-quorum`, an agent that saw ZooKeeper until it failed as a whole does not fence a server that is in
    /// Galera's primary component. One that was decided on before may still take effect.
    pub(super) fn nobody_is_fenced_because_zookeeper_is_down(&self) -> Checked {
        let (fencing, now) = (self.plan.agent.fencing, self.net.ctx.now);
        let Some(since) = self.checks.down_since.filter(|_| fencing.quorum) else { return Ok(()) };
        for (node, database) in self.databases.iter().enumerate() {
            let set = database.fenced && !self.checks.fenced[node];
            let age = self.agents[node].guard.lease.age(crate::context::duration(now));
            let fresh = age.is_some_and(|age| {
                let age = age.as_micros() as Micros;
                age < now - since + self.plan.zookeeper.session_timeout / 6
            });
            let late = now > since + self.plan.zookeeper.session_timeout / 3;
            let decided = now.saturating_sub(DECIDED);
            let primary = self.checks.primary_since[node].is_some_and(|since| since <= decided);
            if set && late && fresh && primary {
                return violated(
                    "nobody_is_fenced_because_zookeeper_is_down",
                    format!("node {node} is fenced, and ZooKeeper is down for everybody"),
                );
            }
        }
        Ok(())
    }
}
