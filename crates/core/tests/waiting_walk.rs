//! The waiting room under random events, against a model of what its users know: nothing is lost in it.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]
#![allow(clippy::needless_pass_by_value, reason = "a step is taken once")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use capitana_core::waiting::{Arrival, Dial, Limits, Release, Target, Ticket, WaitingRoom};
use capitana_core::{HostPort, Role};
use proptest::prelude::*;

fn server(name: &str) -> HostPort {
    HostPort::new(name, 3306).unwrap()
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[derive(Debug, Clone)]
enum Step {
    Arrive,
    Leave(usize),
    /// A bit for each server.
    Aim(u8),
    Dialled(usize, Dial),
    Ended(usize),
    Later(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let dial = prop_oneof![4 => Just(Dial::Greeted), 1 => Just(Dial::Failed), 1 => Just(Dial::GivenUp)];
    prop_oneof![
        5 => Just(Step::Arrive),
        1 => any::<usize>().prop_map(Step::Leave),
        1 => (0..8u8).prop_map(Step::Aim),
        4 => (any::<usize>(), dial).prop_map(|(which, outcome)| Step::Dialled(which, outcome)),
        2 => any::<usize>().prop_map(Step::Ended),
        3 => (0..40u64).prop_map(Step::Later),
    ]
}

/// What the room's users know of it.
#[derive(Default)]
struct Model {
    now: Duration,
    next: u64,
    targets: Vec<Target>,
    waiting: BTreeSet<Ticket>,
    dialling: Vec<(Ticket, HostPort)>,
    sessions: Vec<HostPort>,
}

impl Model {
    fn begin(&mut self, ticket: Ticket, upstream: HostPort) {
        let weight = |target: &Target| (target.upstream == upstream).then_some(target.weight);
        assert!(self.targets.iter().find_map(weight).is_some(), "{upstream} is no target");
        self.dialling.push((ticket, upstream));
    }

    fn loads(&self) -> BTreeMap<&HostPort, (usize, usize)> {
        let mut loads: BTreeMap<_, (usize, usize)> = BTreeMap::new();
        for (_, server) in &self.dialling {
            loads.entry(server).or_default().0 += 1;
            loads.entry(server).or_default().1 += 1;
        }
        for server in &self.sessions {
            loads.entry(server).or_default().1 += 1;
        }
        loads
    }

    fn take(&mut self, room: &mut WaitingRoom, step: Step) {
        match step {
            Step::Arrive => {
                self.next += 1;
                let ticket = Ticket { since: self.now, id: self.next, role: Role::Replica };
                self.arrive(room, ticket);
            }
            Step::Leave(which) if !self.waiting.is_empty() => {
                let ticket = *self.waiting.iter().nth(which % self.waiting.len()).unwrap();
                self.waiting.remove(&ticket);
                assert!(room.leave(ticket));
            }
            Step::Aim(which) => {
                let named = [("a", 100), ("b", 50), ("c", 1)].into_iter().enumerate();
                let listed = named.filter(|(bit, _)| which & (1 << bit) != 0);
                let target = |(_, (name, weight))| Target { upstream: server(name), weight };
                self.targets = listed.map(target).collect();
                room.aim(Role::Replica, &self.targets, self.now);
            }
            Step::Dialled(which, outcome) if !self.dialling.is_empty() => {
                let (ticket, upstream) = self.dialling.swap_remove(which % self.dialling.len());
                room.dialled(Role::Replica, &upstream, outcome, self.now);
                match outcome {
                    Dial::Greeted => self.sessions.push(upstream),
                    Dial::Failed => self.arrive(room, ticket),
                    Dial::GivenUp => {}
                }
            }
            Step::Ended(which) if !self.sessions.is_empty() => {
                let upstream = self.sessions.swap_remove(which % self.sessions.len());
                room.session_ended(&upstream);
            }
            Step::Later(millis) => self.now += ms(millis),
            Step::Leave(_) | Step::Dialled(..) | Step::Ended(_) => {}
        }
    }

    fn arrive(&mut self, room: &mut WaitingRoom, ticket: Ticket) {
        match room.arrive(ticket, self.now) {
            Arrival::Pass(upstream) => {
                assert!(self.waiting.is_empty(), "{ticket:?} overtook {:?}", self.waiting);
                self.begin(ticket, upstream);
            }
            Arrival::Wait => assert!(self.waiting.insert(ticket)),
            Arrival::Full => assert_eq!(self.waiting.len(), 10),
        }
    }

    /// Lets go whoever may, and checks that the order and the limits hold.
    fn release(&mut self, room: &mut WaitingRoom) -> Release {
        loop {
            let release = room.release(self.now);
            let Release::Now(ticket, upstream) = release else { return release };
            assert_eq!(self.waiting.pop_first(), Some(ticket), "not the oldest");
            self.begin(ticket, upstream);
            for (server, (dials, sessions)) in self.loads() {
                assert!(dials <= 4 && sessions <= 6, "{server} has {dials} dials, {sessions} sessions");
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_nobody_is_lost_and_in_the_end_everybody_has_been_let_in(
        steps in prop::collection::vec(step(), 1..200)
    ) {
        let mut room = WaitingRoom::new(Limits { per_second: 100, dials: 4, sessions: Some(6), waiters: 10 }, 1);
        let mut model = Model::default();
        for step in steps {
            model.take(&mut room, step);
            model.release(&mut room);
            prop_assert_eq!(room.waiting(), model.waiting.len());
            prop_assert_eq!(room.sessions(), model.sessions.len() + model.dialling.len());
        }
        model.take(&mut room, Step::Aim(1));
        // Sessions end, dials succeed and time passes: then nobody is left.
        for _ in 0..1000 {
            model.take(&mut room, Step::Dialled(0, Dial::Greeted));
            model.take(&mut room, Step::Ended(0));
            match model.release(&mut room) {
                Release::At(at) => model.now = at,
                Release::Nobody => {}
                Release::Now(..) => unreachable!(),
            }
        }
        prop_assert!(model.waiting.is_empty(), "{:?} wait for ever", model.waiting);
    }
}
