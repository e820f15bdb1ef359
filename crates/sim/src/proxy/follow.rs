//! When a proxy reads the election (`src/proxy/follow.rs`): at once after each event, after a pause where that failed, and
//! every 10 s; three times in the session timeout it looks whether what it read still holds.

use capitana_core::barrier::Gate;
use capitana_core::election::Event;
use capitana_core::{AllowList, Election};

use super::{LOOKS, Phase, Proxy, READ_LIMIT};
use crate::client::{Net, Told};
use crate::context::Micros;
use crate::reading::{Progress, Reading};
use crate::rule::Broken;
use crate::zookeeper::network::Reply;

impl Proxy {
    /// Does what is due.
    pub fn on_time(&mut self, net: &mut Net) {
        self.client.on_time(net);
        let now = net.ctx.now;
        match &mut self.phase {
            Phase::Waiting(until) if now >= *until => {
                self.phase = Phase::Opening;
                self.client.open(net, 0);
            }
            Phase::Reading(_, until) if now >= *until => {
                self.on(Event::ReadFailed("no answer".to_owned()), net);
                self.read(net);
            }
            Phase::Paused(until) if now >= *until => self.read(net),
            Phase::Awaiting { look: Some((_, until)), .. } if now >= *until => self.read(net),
            Phase::Awaiting { look: None, look_at, reread_at } if now >= *look_at => {
                if now >= *reread_at {
                    self.read(net);
                } else {
                    let reading = Reading::begin(&mut self.client, net, false, true);
                    self.look(reading, now);
                }
            }
            _ => {}
        }
        if now >= self.causal_at {
            self.causal_read(net);
        }
        self.on_news(net);
    }

    fn look(&mut self, reading: Reading, now: Micros) {
        if let Phase::Awaiting { look, .. } = &mut self.phase {
            *look = Some((reading, now + READ_LIMIT));
        }
    }

    pub(super) fn read(&mut self, net: &mut Net) {
        let sync = !matches!(self.broken, Some(Broken::BelievesStaleReadings | Broken::ForgetsEpochs));
        let reading = Reading::begin(&mut self.client, net, true, sync);
        self.phase = Phase::Reading(reading, net.ctx.now + READ_LIMIT);
    }

    /// Takes in what the library tells.
    pub fn on_news(&mut self, net: &mut Net) {
        while let Some(told) = self.client.next_told() {
            match told {
                Told::Opened(_) => {
                    self.on(Event::LinkUp, net);
                    self.read(net);
                }
                Told::NotOpened | Told::Over => self.over(net),
                Told::LinkDown => {
                    self.on(Event::LinkDown("no server answers".to_owned()), net);
                    self.phase = Phase::CutOff;
                }
                Told::LinkUp => self.linked(net),
                Told::Changed => self.changed(net),
                Told::Answered(xid, reply) => self.on_answer(xid, reply, net),
            }
        }
    }

    fn over(&mut self, net: &mut Net) {
        self.client.leave(net);
        self.on(Event::LinkDown("the session is over".to_owned()), net);
        let wait = self.backoff.wait().as_micros() as Micros;
        self.phase = Phase::Waiting(net.ctx.now + wait);
    }

    fn linked(&mut self, net: &mut Net) {
        if self.broken == Some(Broken::ForgetsEpochs) {
            self.election = Election::new(AllowList::default());
            self.gate = Gate::default();
            self.view_pzxid = 0;
        }
        self.on(Event::LinkUp, net);
        if self.broken == Some(Broken::DoesNotReread) {
            let never = Micros::MAX;
            self.phase = Phase::Awaiting { look_at: never, reread_at: never, look: None };
        } else {
            self.read(net);
        }
    }

    fn changed(&mut self, net: &mut Net) {
        if matches!(self.phase, Phase::Awaiting { .. }) && self.broken != Some(Broken::DoesNotReread) {
            self.read(net);
        }
    }

    fn on_answer(&mut self, xid: u32, reply: Option<Reply>, net: &mut Net) {
        let now = net.ctx.now;
        match &mut self.phase {
            Phase::Reading(reading, _) => match reading.on_answer(&mut self.client, net, xid, reply) {
                Progress::Pending => {}
                Progress::Done(found) => self.found(&found, net),
                Progress::Failed => {
                    self.on(Event::ReadFailed("no answer".to_owned()), net);
                    let wait = self.backoff.wait().as_micros() as Micros;
                    self.phase = Phase::Paused(now + wait);
                }
            },
            Phase::Awaiting { look, look_at, .. } => {
                let Some((reading, _)) = look else { return };
                match reading.on_answer(&mut self.client, net, xid, reply) {
                    Progress::Pending => {}
                    Progress::Done(found) if found.pzxid == self.view_pzxid && !found.changed => {
                        *look = None;
                        *look_at = now + self.timeout / LOOKS;
                        self.on(Event::Seen(found.pzxid), net);
                    }
                    Progress::Done(_) | Progress::Failed => self.read(net),
                }
            }
            _ => {}
        }
    }
}
