//! Random histories of an agent against a model of ZooKeeper: it never has two znodes, and has one once faults stop.

use std::collections::BTreeMap;

use capitana_core::Epoch;
use capitana_core::registration::{Event, OwnZnode, Registration, Request};
use proptest::prelude::*;

fn znode(sequence: i64, session: i64) -> OwnZnode {
    OwnZnode { name: format!("node-{sequence:010}"), epoch: Epoch(sequence), session }
}

/// What may happen to an agent and its ZooKeeper.
#[derive(Debug, Clone)]
enum Step {
    Want(bool),
    /// The agent's next request reaches ZooKeeper and is carried out.
    Ask,
    /// The agent's next request is lost before it is carried out.
    AskInVain,
    /// The reply to the request that is out arrives.
    Reply,
    /// The reply to the request that is out is lost.
    LoseReply,
    /// Somebody deletes the agent's oldest znode, and the watch tells.
    DeleteForeign,
    /// Somebody deletes the agent's oldest znode, and nothing tells.
    DeleteUnseen,
    LinkDown,
    LinkUp,
    SessionOver,
    SessionBegins,
    /// The znode's data is to be another.
    Renew,
    /// ZooKeeper notices that earlier sessions are over.
    Expire,
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => any::<bool>().prop_map(Step::Want),
        8 => Just(Step::Ask),
        2 => Just(Step::AskInVain),
        8 => Just(Step::Reply),
        3 => Just(Step::LoseReply),
        1 => Just(Step::DeleteForeign),
        1 => Just(Step::DeleteUnseen),
        1 => Just(Step::LinkDown),
        2 => Just(Step::LinkUp),
        1 => Just(Step::SessionOver),
        2 => Just(Step::SessionBegins),
        2 => Just(Step::Renew),
        1 => Just(Step::Expire),
    ]
}

/// A model of ZooKeeper that holds the znodes of one agent, and the agent.
struct World {
    agent: Registration,
    znodes: Vec<OwnZnode>,
    /// How often the data was renewed before it was written into each znode.
    written: BTreeMap<String, u64>,
    renewed: u64,
    path_exists: bool,
    zxid: i64,
    session: Option<i64>,
    /// The answer that is on its way; None inside: the request was lost.
    out: Option<Option<Event>>,
}

impl World {
    fn new(path_exists: bool) -> Self {
        Self {
            agent: Registration::new(),
            znodes: Vec::new(),
            written: BTreeMap::new(),
            renewed: 0,
            path_exists,
            zxid: 100,
            session: None,
            out: None,
        }
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Want(wanted) => drop(self.agent.on(Event::Wanted(*wanted))),
            Step::Ask => self.ask(true),
            Step::AskInVain => self.ask(false),
            Step::Reply => {
                if let Some(reply) = self.out.take() {
                    self.agent.on(reply.unwrap_or(Event::Failed));
                }
            }
            Step::LoseReply => {
                if self.out.take().is_some() {
                    self.agent.on(Event::Failed);
                }
            }
            Step::DeleteForeign | Step::DeleteUnseen => self.delete_foreign(step),
            Step::LinkDown if self.session.is_some() => drop(self.agent.on(Event::LinkDown)),
            Step::LinkUp if self.session.is_some() => drop(self.agent.on(Event::LinkUp)),
            Step::LinkDown | Step::LinkUp => {}
            Step::SessionOver => {
                self.session = None;
                self.out = None;
                self.agent.on(Event::SessionOver);
            }
            Step::SessionBegins if self.session.is_none() => {
                self.zxid += 1;
                self.session = Some(self.zxid);
                self.agent.on(Event::SessionBegan(self.zxid));
            }
            Step::SessionBegins => {}
            Step::Renew => {
                self.renewed += 1;
                self.agent.on(Event::Renewed);
            }
            Step::Expire => self.znodes.retain(|z| Some(z.session) == self.session),
        }
    }

    fn delete_foreign(&mut self, step: &Step) {
        if !self.znodes.is_empty() {
            self.znodes.remove(0);
        }
        if matches!(step, Step::DeleteForeign) {
            self.agent.on(Event::Recheck);
        }
    }

    fn ask(&mut self, reaches: bool) {
        if let Some(request) = self.agent.next_request() {
            self.out = Some(reaches.then(|| self.carry_out(request)));
        }
    }

    fn carry_out(&mut self, request: Request) -> Event {
        match request {
            Request::Look => Event::Seen { exists: self.path_exists, own: self.znodes.clone() },
            Request::EnsurePath => {
                self.path_exists = true;
                Event::PathReady
            }
            Request::Create => {
                self.zxid += 1;
                let znode = znode(self.zxid, self.session.unwrap_or_default());
                self.znodes.push(znode.clone());
                self.written.insert(znode.name.clone(), self.renewed);
                Event::Created(znode)
            }
            Request::Delete(name) => {
                self.znodes.retain(|z| z.name != name);
                Event::Deleted
            }
            Request::Update(name) if self.znodes.iter().any(|z| z.name == name) => {
                self.written.insert(name, self.renewed);
                Event::Updated
            }
            Request::Update(_) => Event::Failed,
        }
    }

    /// Faults stop: link and session are there, a periodic look is due, every request is answered.
    fn settle(&mut self) {
        for step in [Step::SessionBegins, Step::LinkUp] {
            self.apply(&step);
        }
        self.agent.on(Event::Recheck);
        for _ in 0..12 {
            self.apply(&Step::Reply);
            self.apply(&Step::Ask);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn an_agent_never_has_two_znodes_and_has_one_once_faults_stop(
        path_exists in any::<bool>(), wanted in any::<bool>(), walk in prop::collection::vec(steps(), 0..120),
    ) {
        let mut world = World::new(path_exists);
        for step in &walk {
            world.apply(step);
            prop_assert!(world.znodes.len() <= 1, "{:?}", world.znodes);
        }
        world.apply(&Step::Want(wanted));
        world.settle();
        prop_assert_eq!(world.znodes.len(), usize::from(wanted));
        prop_assert_eq!(world.agent.znode(), world.znodes.first());
        prop_assert_eq!(world.agent.is_withdrawn(), !wanted);
        prop_assert_eq!(world.agent.next_request(), None);
        let written = world.znodes.first().map(|znode| world.written[&znode.name]);
        prop_assert_eq!(written.unwrap_or(world.renewed), world.renewed);
    }
}
