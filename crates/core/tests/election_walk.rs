//! Random histories of an election against a simple model of ZooKeeper, seen late, twice or never.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::time::Duration;

use capitana_core::election::{Change, Event};
use capitana_core::{AllowList, Election, RawMember, RawView};
use proptest::prelude::*;

/// What may happen to an election and to its proxy.
#[derive(Debug, Clone)]
enum Step {
    /// An agent registers. Its data may be unreadable at first.
    Join {
        readable: bool,
    },
    /// The member at this place leaves.
    Leave(usize),
    /// The data of the member at this place becomes readable.
    Repair(usize),
    /// The path is deleted with all members.
    DeletePath,
    /// The proxy reads the newest state.
    Read,
    /// The proxy reads from a server that lags by so many changes.
    ReadOld(usize),
    LinkDown,
    LinkUp,
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<bool>().prop_map(|readable| Step::Join { readable }),
        4 => (0..8usize).prop_map(Step::Leave),
        2 => (0..8usize).prop_map(Step::Repair),
        1 => Just(Step::DeletePath),
        8 => Just(Step::Read),
        3 => (1..6usize).prop_map(Step::ReadOld),
        1 => Just(Step::LinkDown),
        1 => Just(Step::LinkUp),
    ]
}

/// ZooKeeper, with every state it ever had.
struct World {
    zxid: i64,
    states: Vec<RawView>,
}

impl World {
    fn new() -> Self {
        Self { zxid: 0, states: vec![RawView::default()] }
    }

    fn now(&self) -> &RawView {
        self.states.last().unwrap()
    }

    fn change(&mut self, touches_list: bool, change: impl FnOnce(i64, &mut Vec<RawMember>)) {
        let mut state = self.now().clone();
        self.zxid += 1;
        change(self.zxid, &mut state.members);
        if touches_list || !state.exists {
            state.pzxid = self.zxid;
        }
        state.exists = true;
        self.states.push(state);
    }

    /// What the proxy reads in this step, if it reads.
    fn step(&mut self, step: &Step) -> Option<Event> {
        let members = self.now().members.len();
        match step {
            Step::Join { readable } => self.change(true, |zxid, members| {
                let data = if *readable { format!("db{zxid}") } else { String::new() };
                members.push(RawMember {
                    name: format!("node-{zxid:010}"),
                    czxid: zxid,
                    ephemeral_owner: 1,
                    data: data.into_bytes(),
                });
            }),
            Step::Leave(place) if *place < members => {
                self.change(true, |_, members| drop(members.remove(*place)));
            }
            Step::Repair(place) if *place < members => self.change(false, |_, members| {
                members[*place].data = format!("db{}", members[*place].czxid).into_bytes();
            }),
            Step::DeletePath => {
                self.zxid += 1;
                self.states.push(RawView::default());
            }
            Step::Leave(_) | Step::Repair(_) => {}
            Step::Read => return Some(Event::Read(self.now().clone())),
            Step::ReadOld(lag) => {
                let at = self.states.len().saturating_sub(1 + lag);
                return Some(Event::Read(self.states[at].clone()));
            }
            Step::LinkDown => return Some(Event::LinkDown("cut".into())),
            Step::LinkUp => return Some(Event::LinkUp),
        }
        None
    }
}

proptest! {
    #[test]
    fn epochs_that_open_only_grow(steps in prop::collection::vec(steps(), 1..60)) {
        let (mut world, mut election) = (World::new(), Election::new(AllowList::default()));
        let mut last = None;
        for step in &steps {
            let Some(event) = world.step(step) else { continue };
            if let Change::Opened(route) = election.on(event, Duration::ZERO) {
                // The same epoch may open again, after a time without a primary.
                prop_assert!(last <= Some(route.epoch), "{last:?} then {route:?}");
                last = Some(route.epoch);
            }
        }
    }

    #[test]
    fn a_change_is_told_exactly_when_the_route_changes(steps in prop::collection::vec(steps(), 1..60)) {
        let (mut world, mut election) = (World::new(), Election::new(AllowList::default()));
        for step in &steps {
            let Some(event) = world.step(step) else { continue };
            let before = election.route().cloned();
            let change = election.on(event, Duration::ZERO);
            match change {
                Change::Opened(route) => {
                    prop_assert_ne!(Some(&route), before.as_ref());
                    prop_assert_eq!(Some(&route), election.route());
                }
                Change::Closed => prop_assert!(before.is_some() && election.route().is_none()),
                Change::None | Change::Stale => prop_assert_eq!(before.as_ref(), election.route()),
            }
            prop_assert_eq!(election.route().is_none(), election.why_no_route().is_some());
        }
    }

    #[test]
    fn where_every_member_is_readable_the_newest_reading_names_the_oldest_member(
        steps in prop::collection::vec(steps(), 1..60),
    ) {
        let (mut world, mut election) = (World::new(), Election::new(AllowList::default()));
        for step in &steps {
            let step = match step {
                Step::Join { .. } => Step::Join { readable: true },
                other => other.clone(),
            };
            let Some(event) = world.step(&step) else { continue };
            let change = election.on(event, Duration::ZERO);
            if matches!(step, Step::Read) {
                prop_assert_ne!(change, Change::Stale);
                let oldest = world.now().members.iter().map(|m| m.czxid).min();
                prop_assert_eq!(election.route().map(|r| r.epoch.0), oldest);
            }
        }
    }
}
