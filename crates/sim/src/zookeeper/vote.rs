//! How a leader is lost and another one found: crashes, partitions, votes, and joining the new leader. What a quorum
//! acknowledged is never lost; what was only proposed may be.

use super::{Ensemble, Role};
use crate::context::{Context, Event, MILLI, Micros};

impl Ensemble {
    /// A server's process ends. `silently`: with its machine, so that its clients are not told.
    pub fn crash(&mut self, ctx: &mut Context, server: usize, silently: bool) {
        if !self.servers[server].up {
            return;
        }
        ctx.say(|| format!("zookeeper: server {server} crashes"));
        self.look(ctx, server, silently);
        self.servers[server].up = false;
        self.check_links(ctx);
    }

    /// A server is started. It has its log.
    pub fn start(&mut self, ctx: &mut Context, server: usize) {
        if !self.servers[server].up {
            ctx.say(|| format!("zookeeper: server {server} starts"));
            self.servers[server].up = true;
            self.call_vote(ctx, 300 * MILLI);
        }
    }

    /// A server without a leader takes no clients, and what it had under way is lost.
    fn look(&mut self, ctx: &mut Context, server: usize, silently: bool) {
        let conns = self.servers[server].conns.clone();
        for conn in conns {
            if silently {
                self.forget(conn);
            } else {
                self.hang_up(ctx, conn);
            }
        }
        if let Some(leader) = self.servers[server].leader.take()
            && leader.term == self.term
        {
            self.orphans = leader.sent();
        }
        let it = &mut self.servers[server];
        it.role = Role::Looking;
        it.serving = false;
        it.link += 1;
        it.up_line.clear();
        it.down_line.clear();
        it.touched.clear();
        let wait = ctx.random.between(100 * MILLI, 400 * MILLI);
        self.call_vote(ctx, wait);
    }

    /// Who lost a leader or a quorum finds out: at once where a process ended, else within `sync_limit`.
    pub(super) fn check_links(&mut self, ctx: &mut Context) {
        for server in 0..self.servers.len() {
            let link = self.servers[server].link;
            let wait = match self.servers[server].role {
                Role::Following(leader) if !self.servers[leader].up => ctx.random.between(MILLI, 20 * MILLI),
                Role::Following(leader) if !self.reaches(server, leader) => self.patience(ctx),
                Role::Leading if self.followers(server) + 1 < self.quorum() => self.patience(ctx),
                _ => continue,
            };
            ctx.after(wait, Event::LinkCheck { server, link });
        }
    }

    /// Those who reach each other again hear at once that their leader was replaced.
    pub(super) fn find_out(&self, ctx: &mut Context) {
        for (server, it) in self.servers.iter().enumerate() {
            if it.leader.as_ref().is_some_and(|leader| leader.term < self.term) {
                ctx.after(2 * MILLI, Event::LinkCheck { server, link: it.link });
            }
        }
    }

    fn patience(&self, ctx: &mut Context) -> u64 {
        ctx.random.between(self.setting.sync_limit / 2, self.setting.sync_limit)
    }

    /// Whether this server has lost its leader, or its quorum.
    pub fn link_check(&mut self, ctx: &mut Context, server: usize, link: u32) {
        if self.servers[server].link != link {
            return;
        }
        let lost = match self.servers[server].role {
            Role::Following(leader) => !self.reaches(server, leader) || self.servers[leader].leader.is_none(),
            Role::Leading => self.followers(server) + 1 < self.quorum(),
            Role::Looking => false,
        };
        if lost {
            ctx.say(|| format!("zookeeper: server {server} has lost its leader or its quorum"));
            self.look(ctx, server, false);
            self.check_links(ctx);
            self.follow_up(ctx);
        }
    }

    /// Those who follow a server that does not lead any more find out.
    fn follow_up(&mut self, ctx: &mut Context) {
        for server in 0..self.servers.len() {
            if let Role::Following(leader) = self.servers[server].role
                && self.servers[leader].leader.is_none()
            {
                let link = self.servers[server].link;
                ctx.after(2 * MILLI, Event::LinkCheck { server, link });
            }
        }
    }

    /// Servers that look for a leader follow the one that is there, or make one if they are a quorum.
    pub fn vote(&mut self, ctx: &mut Context) {
        self.vote_at = None;
        for server in 0..self.servers.len() {
            if !self.servers[server].up || self.servers[server].role != Role::Looking {
                continue;
            }
            if let Some(leader) = self.leader_for(server) {
                self.join(ctx, server, leader);
            } else {
                self.elect(ctx, server);
            }
        }
        let looking = self.servers.iter().any(|s| s.up && s.role == Role::Looking);
        if looking {
            self.call_vote(ctx, 400 * MILLI);
        }
    }

    /// At most one vote is on its way.
    pub(super) fn call_vote(&mut self, ctx: &mut Context, wait: Micros) {
        if self.vote_at.is_none() {
            self.vote_at = Some(ctx.now + wait);
            ctx.after(wait, Event::Vote);
        }
    }

    fn leader_for(&self, server: usize) -> Option<usize> {
        let newest = |s: &usize| self.servers[*s].leader.as_ref().is_some_and(|l| l.term == self.term);
        (0..self.servers.len()).find(|s| newest(s) && self.reaches(*s, server))
    }

    /// What was proposed and not acknowledged is known to the new leader up to a place that chance decides.
    fn elect(&mut self, ctx: &mut Context, server: usize) {
        let looks = |s: &usize| self.servers[*s].role == Role::Looking && self.reaches(*s, server);
        let voters: Vec<usize> = (0..self.servers.len()).filter(looks).collect();
        if voters.len() < self.quorum() {
            return;
        }
        let mut orphans = std::mem::take(&mut self.orphans);
        if let Some(old) = self.servers.iter().filter_map(|s| s.leader.as_ref()).find(|l| l.term == self.term)
        {
            orphans = old.sent();
        }
        let kept = ctx.random.index(orphans.len() + 1);
        for txn in orphans.into_iter().take(kept) {
            self.append(ctx, txn);
        }
        let leader = voters[ctx.random.index(voters.len())];
        self.servers[leader].role = Role::Leading;
        self.lead(ctx, leader);
        ctx.say(|| format!("zookeeper: server {leader} leads"));
        self.join(ctx, leader, leader);
        for voter in voters {
            if voter != leader {
                self.join(ctx, voter, leader);
            }
        }
        self.check_links(ctx);
    }

    fn join(&mut self, ctx: &mut Context, server: usize, leader: usize) {
        let it = &mut self.servers[server];
        it.role = if server == leader { Role::Leading } else { Role::Following(leader) };
        it.link += 1;
        let link = it.link;
        let wait = ctx.random.between(5 * MILLI, 100 * MILLI);
        ctx.after(wait, Event::Joined { server, link });
        if self.servers[server].side != self.servers[leader].side {
            self.check_links(ctx);
        }
    }

    /// A server is up to date with its leader and takes clients.
    pub fn joined(&mut self, ctx: &mut Context, server: usize, link: u32) {
        let it = &self.servers[server];
        if it.link != link || !it.up {
            return;
        }
        if let Role::Following(leader) = it.role
            && !self.reaches(server, leader)
        {
            let wait = self.patience(ctx);
            return ctx.after(wait, Event::LinkCheck { server, link });
        }
        if !self.log.is_empty() {
            self.apply_up_to(ctx, server, self.log.len() - 1);
        }
        self.servers[server].serving = true;
    }
}
