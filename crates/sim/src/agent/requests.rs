//! Makes the registrar's requests, and puts a reading into the registration's terms (`src/agent/requests.rs`).

use capitana_core::Epoch;
use capitana_core::registration::{Event, OwnZnode, Request};

use super::registrar::{Hands, Out, REREAD, Registrar};
use crate::context::Micros;
use crate::reading::{Found, Reading};
use crate::rule::Broken;
use crate::zookeeper::network::Op;
use crate::zookeeper::tree::Znode;

impl Registrar {
    pub(super) fn carry_out(&mut self, request: Request, hands: &mut Hands<'_>) -> Option<Out> {
        let (client, net) = (&mut *hands.client, &mut *hands.net);
        match request {
            Request::Look => {
                let sync = self.broken != Some(Broken::DoesNotSync);
                Some(Out::Look(Reading::begin(client, net, true, sync)))
            }
            Request::EnsurePath => Some(Out::Path(client.ask(net, Op::EnsurePath))),
            Request::Create => {
                self.created_at = Some(net.ctx.now);
                let (node, guid) = (self.node, self.guid);
                net.ctx.say(|| format!("agent {node}: creates its znode"));
                Some(Out::Create(client.ask(net, Op::Create { node, guid })))
            }
            // No agent here says how long its queue is, so that its data never changes.
            Request::Update(_) => None,
            Request::Delete(name) => {
                let number =
                    self.names.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)?;
                let node = self.node;
                net.ctx.say(|| format!("agent {node}: deletes {name}"));
                Some(Out::Delete(client.ask(net, Op::Delete(number))))
            }
        }
    }

    pub(super) fn own(&mut self, znode: Znode) -> OwnZnode {
        let name = znode.name();
        if !self.names.iter().any(|(known, _)| *known == name) {
            self.names.push((name.clone(), znode.sequence));
        }
        OwnZnode { name, epoch: Epoch(znode.czxid), session: znode.session }
    }

    pub(super) fn seen(&mut self, found: &Found, session: i64, now: Micros) -> Event {
        self.watching = true;
        self.reread_at = now + REREAD;
        if found.changed {
            self.reread_at = now;
        }
        self.first = found.members.iter().min_by_key(|member| member.czxid).map(|member| member.sequence);
        self.others = found.members.iter().filter(|member| member.guid != self.guid).count();
        let rival = found.members.iter().any(|member| member.node == self.node && member.guid != self.guid);
        self.registration.on(Event::Rival(rival));
        let mut own = Vec::new();
        for znode in &found.members {
            if znode.guid == self.guid && !self.overlooks(znode, session) {
                own.push(self.own(*znode));
            }
        }
        Event::Seen { exists: found.exists, own }
    }

    /// Whether a broken rule keeps it from seeing this znode of its own.
    pub(super) fn overlooks(&self, znode: &Znode, session: i64) -> bool {
        match self.broken {
            Some(Broken::LeavesGhosts) => znode.session != session,
            Some(Broken::TrustsSilence) => !self.names.iter().any(|(_, number)| *number == znode.sequence),
            _ => false,
        }
    }
}
