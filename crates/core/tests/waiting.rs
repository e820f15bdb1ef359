//! The waiting room: its order, its limits.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::time::Duration;

use capitana_core::Role::{Primary, Replica};
use capitana_core::waiting::{Arrival, Cause, Dial, Limits, Release, Target, Ticket, WaitingRoom};
use capitana_core::{HostPort, Role};

const ANY: Limits = Limits { per_second: 1000, dials: 64, sessions: None, waiters: 100 };

fn server(name: &str) -> HostPort {
    HostPort::new(name, 3306).unwrap()
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn ticket(id: u64) -> Ticket {
    Ticket { since: ms(id), id, role: Primary }
}

fn reader(id: u64) -> Ticket {
    Ticket { role: Replica, ..ticket(id) }
}

fn to(name: &str) -> Arrival {
    Arrival::Pass(server(name))
}

/// Servers with their weights.
fn targets(servers: &[(&str, u32)]) -> Vec<Target> {
    servers.iter().map(|(name, weight)| Target { upstream: server(name), weight: *weight }).collect()
}

fn aim(room: &mut WaitingRoom, role: Role, servers: &[&str], now: Duration) {
    let equal: Vec<_> = servers.iter().map(|name| (*name, 100)).collect();
    room.aim(role, &targets(&equal), now);
}

/// A room whose clients go to `a`.
fn open(limits: Limits) -> WaitingRoom {
    let mut room = WaitingRoom::new(limits, 1);
    aim(&mut room, Primary, &["a"], Duration::ZERO);
    assert_eq!(room.release(Duration::ZERO), Release::Nobody);
    room
}

/// Everybody who may go at `now`.
fn released(room: &mut WaitingRoom, now: Duration) -> Vec<u64> {
    let mut released = Vec::new();
    while let Release::Now(ticket, _) = room.release(now) {
        released.push(ticket.id);
    }
    released
}

#[test]
fn a_client_passes_at_once_where_nobody_waits_and_nothing_is_full() {
    let mut room = open(ANY);
    assert_eq!(room.arrive(ticket(1), ms(0)), to("a"));
    assert_eq!((room.waiting(), room.sessions()), (0, 1));
}

#[test]
fn arrivals_are_not_slowed_down_while_nobody_has_to_wait() {
    let mut room = open(Limits { per_second: 1, dials: 500, ..ANY });
    assert!((0..500).all(|id| room.arrive(ticket(id), ms(0)) == to("a")));
}

#[test]
fn without_a_route_clients_wait_and_the_oldest_goes_first_when_there_is_one() {
    let mut room = WaitingRoom::new(ANY, 1);
    for id in [3, 1, 2] {
        assert_eq!(room.arrive(ticket(id), ms(5)), Arrival::Wait);
    }
    assert_eq!(room.cause(Primary), Cause::NoRoute);
    assert_eq!(room.release(ms(5)), Release::Nobody);
    aim(&mut room, Primary, &["a"], ms(6));
    assert_eq!(released(&mut room, ms(6)), [1, 2, 3]);
}

#[test]
fn nobody_overtakes_those_who_wait() {
    let mut room = WaitingRoom::new(Limits { dials: 1, ..ANY }, 1);
    assert_eq!(room.arrive(ticket(1), ms(0)), Arrival::Wait);
    aim(&mut room, Primary, &["a"], ms(1));
    assert_eq!(room.arrive(ticket(2), ms(1)), Arrival::Wait);
    assert_eq!(released(&mut room, ms(1)), [1]);
}

#[test]
fn the_waiting_are_released_at_the_rate() {
    let mut room = WaitingRoom::new(Limits { per_second: 100, dials: 1000, waiters: 1000, ..ANY }, 1);
    assert!((0..300).all(|id| room.arrive(ticket(id), ms(0)) == Arrival::Wait));
    aim(&mut room, Primary, &["a"], ms(1000));
    let mut count = 0;
    let mut now = ms(1000);
    while now < ms(2000) {
        count += released(&mut room, now).len();
        let Release::At(next) = room.release(now) else { panic!("the rate is not what holds them") };
        assert!(next > now);
        now = next;
    }
    assert!((100..=103).contains(&count), "{count} in a second");
}

#[test]
fn after_the_last_has_gone_arrivals_pass_again_without_the_rate() {
    let mut room = WaitingRoom::new(Limits { per_second: 1, ..ANY }, 1);
    assert_eq!(room.arrive(ticket(1), ms(0)), Arrival::Wait);
    aim(&mut room, Primary, &["a"], ms(1));
    assert_eq!(released(&mut room, ms(1001)), [1]);
    assert!((2..10).all(|id| room.arrive(ticket(id), ms(1001)) == to("a")));
}

#[test]
fn no_more_dials_are_under_way_than_may_and_an_ended_one_lets_the_next_go() {
    let mut room = open(Limits { dials: 2, ..ANY });
    assert_eq!(room.arrive(ticket(1), ms(0)), to("a"));
    assert_eq!(room.arrive(ticket(2), ms(0)), to("a"));
    assert_eq!(room.arrive(ticket(3), ms(0)), Arrival::Wait);
    assert_eq!(room.release(ms(0)), Release::Nobody);
    room.dialled(Primary, &server("a"), Dial::Greeted, ms(1));
    assert_eq!(released(&mut room, ms(1)), [3]);
}

#[test]
fn a_full_server_is_waited_for_until_a_session_ends() {
    let mut room = open(Limits { sessions: Some(1), ..ANY });
    assert_eq!(room.arrive(ticket(1), ms(0)), to("a"));
    room.dialled(Primary, &server("a"), Dial::Greeted, ms(0));
    assert_eq!(room.arrive(ticket(2), ms(0)), Arrival::Wait);
    assert_eq!((room.cause(Primary), room.release(ms(0))), (Cause::NoPlace, Release::Nobody));
    room.session_ended(&server("a"));
    assert_eq!(released(&mut room, ms(0)), [2]);
}

#[test]
fn sessions_of_the_old_primary_take_no_places_on_the_new_one() {
    let mut room = open(Limits { sessions: Some(1), ..ANY });
    assert_eq!(room.arrive(ticket(1), ms(0)), to("a"));
    aim(&mut room, Primary, &["b"], ms(1));
    assert_eq!(room.arrive(ticket(2), ms(1)), to("b"));
    aim(&mut room, Primary, &["a"], ms(2));
    assert_eq!(room.arrive(ticket(3), ms(2)), Arrival::Wait);
}

#[test]
fn a_server_that_refused_is_asked_by_one_client_at_a_time_until_it_greets() {
    let mut room = open(ANY);
    for id in 1..=3 {
        assert_eq!(room.arrive(ticket(id), ms(0)), to("a"));
    }
    room.dialled(Primary, &server("a"), Dial::Failed, ms(0));
    assert_eq!(room.arrive(ticket(1), ms(0)), Arrival::Wait);
    room.dialled(Primary, &server("a"), Dial::GivenUp, ms(0));
    room.dialled(Primary, &server("a"), Dial::GivenUp, ms(0));
    assert_eq!(room.arrive(ticket(2), ms(0)), Arrival::Wait);
    assert_eq!(room.cause(Primary), Cause::Refused);
    let Release::At(next) = room.release(ms(0)) else { panic!("nobody is to ask again") };
    assert_eq!(released(&mut room, next), [1]);
    room.dialled(Primary, &server("a"), Dial::Greeted, next);
    assert_eq!(released(&mut room, next), [2]);
}

#[test]
fn those_who_waited_for_a_server_that_refused_are_released_at_the_rate() {
    let mut room = open(Limits { per_second: 10, ..ANY });
    assert_eq!(room.arrive(ticket(1), ms(0)), to("a"));
    room.dialled(Primary, &server("a"), Dial::Failed, ms(0));
    assert_eq!(released(&mut room, ms(0)), [0; 0]);
    for id in 1..=5 {
        assert_eq!(room.arrive(ticket(id), ms(0)), Arrival::Wait);
    }
    assert_eq!(released(&mut room, ms(1000)), [1]);
    room.dialled(Primary, &server("a"), Dial::Greeted, ms(1000));
    assert_eq!(released(&mut room, ms(1000)), [0; 0]);
    assert_eq!(released(&mut room, ms(1100)), [2]);
}

#[test]
fn a_client_whose_dial_failed_keeps_its_age() {
    let mut room = open(Limits { dials: 1, ..ANY });
    assert_eq!(room.arrive(ticket(1), ms(1)), to("a"));
    assert_eq!(room.arrive(ticket(2), ms(2)), Arrival::Wait);
    room.dialled(Primary, &server("a"), Dial::Failed, ms(3));
    assert_eq!(room.arrive(ticket(1), ms(3)), Arrival::Wait);
    assert_eq!(released(&mut room, ms(1000)), [1]);
}

#[test]
fn a_new_primary_is_not_held_back_by_what_the_old_one_refused() {
    let mut room = open(Limits { dials: 1, ..ANY });
    assert_eq!(room.arrive(ticket(1), ms(0)), to("a"));
    room.dialled(Primary, &server("a"), Dial::Failed, ms(0));
    assert_eq!(room.arrive(ticket(1), ms(0)), Arrival::Wait);
    aim(&mut room, Primary, &["b"], ms(1));
    assert_eq!(released(&mut room, ms(1)), [1]);
}

#[test]
fn more_than_may_wait_are_turned_away() {
    let mut room = WaitingRoom::new(Limits { waiters: 1, ..ANY }, 1);
    assert_eq!(room.arrive(ticket(1), ms(0)), Arrival::Wait);
    assert_eq!(room.arrive(ticket(2), ms(0)), Arrival::Full);
    assert!(room.leave(ticket(1)));
    assert!(!room.leave(ticket(1)));
    assert_eq!(room.arrive(ticket(2), ms(0)), Arrival::Wait);
}

/// A room whose readers go to these servers.
fn reading(limits: Limits, servers: &[(&str, u32)]) -> WaitingRoom {
    let mut room = WaitingRoom::new(limits, 1);
    room.aim(Replica, &targets(servers), Duration::ZERO);
    assert_eq!(room.release(Duration::ZERO), Release::Nobody);
    room
}

/// Lets so many readers in, each with a session that stays, and answers how many went to each server.
fn let_in(room: &mut WaitingRoom, count: u64, names: &[&str]) -> Vec<usize> {
    for id in 0..count {
        match room.arrive(reader(id), ms(0)) {
            Arrival::Pass(upstream) => room.dialled(Replica, &upstream, Dial::Greeted, ms(0)),
            other => unreachable!("{other:?}"),
        }
    }
    names.iter().map(|name| room.load(&server(name)).sessions).collect()
}

#[test]
fn a_session_goes_where_the_fewest_are_for_the_weight() {
    let mut room = reading(ANY, &[("a", 100), ("b", 50), ("c", 1)]);
    assert_eq!(let_in(&mut room, 31, &["a", "b", "c"]), [20, 10, 1]);
    assert_eq!(let_in(&mut room, 120, &["a", "b", "c"]), [100, 50, 1]);
}

#[test]
fn sessions_that_come_one_after_the_other_are_spread_too() {
    let mut room = reading(ANY, &[("a", 100), ("b", 50)]);
    let mut given = [0, 0];
    for id in 0..300 {
        let Arrival::Pass(upstream) = room.arrive(reader(id), ms(id)) else { panic!("it has to wait") };
        room.dialled(Replica, &upstream, Dial::Greeted, ms(id));
        room.session_ended(&upstream);
        given[usize::from(upstream == server("b"))] += 1;
    }
    assert_eq!(given, [200, 100]);
}

#[test]
fn a_replica_that_comes_back_is_filled_up_first() {
    let mut room = reading(ANY, &[("a", 100)]);
    assert_eq!(let_in(&mut room, 10, &["a", "b"]), [10, 0]);
    aim(&mut room, Replica, &["a", "b"], ms(0));
    assert_eq!(room.release(ms(0)), Release::Nobody);
    assert_eq!(let_in(&mut room, 10, &["a", "b"]), [10, 10]);
    assert_eq!(let_in(&mut room, 10, &["a", "b"]), [15, 15]);
}

#[test]
fn a_replica_that_refuses_sends_nobody_away_while_another_does_not() {
    let mut room = reading(ANY, &[("a", 100), ("b", 100)]);
    assert_eq!(room.arrive(reader(1), ms(0)), to("a"));
    room.dialled(Replica, &server("a"), Dial::Failed, ms(0));
    for id in 1..10 {
        assert_eq!(room.arrive(reader(id), ms(0)), to("b"));
    }
}

#[test]
fn readers_wait_while_every_replica_refuses_and_the_first_that_greets_takes_them() {
    let mut room = reading(ANY, &[("a", 100), ("b", 100)]);
    assert_eq!(room.arrive(reader(1), ms(0)), to("a"));
    assert_eq!(room.arrive(reader(2), ms(0)), to("b"));
    room.dialled(Replica, &server("a"), Dial::Failed, ms(0));
    room.dialled(Replica, &server("b"), Dial::Failed, ms(0));
    assert_eq!(room.arrive(reader(1), ms(0)), Arrival::Wait);
    assert_eq!(room.arrive(reader(2), ms(0)), Arrival::Wait);
    assert_eq!(room.cause(Replica), Cause::Refused);
    let Release::At(next) = room.release(ms(0)) else { panic!("nobody is to ask again") };
    let Release::Now(first, upstream) = room.release(next) else { panic!("nobody may go") };
    assert_eq!(first, reader(1));
    room.dialled(Replica, &upstream, Dial::Greeted, next);
    assert!(matches!(room.release(next), Release::Now(second, _) if second == reader(2)));
}

#[test]
fn a_full_replica_is_passed_over_until_all_are_full() {
    let mut room = reading(Limits { sessions: Some(2), ..ANY }, &[("a", 1000), ("b", 1)]);
    assert_eq!(let_in(&mut room, 4, &["a", "b"]), [2, 2]);
    assert_eq!(room.arrive(reader(5), ms(0)), Arrival::Wait);
    assert_eq!(room.cause(Replica), Cause::NoPlace);
}

#[test]
fn what_readers_keep_the_primary_busy_with_counts_for_its_own_clients_too() {
    let mut room = open(Limits { sessions: Some(1), ..ANY });
    aim(&mut room, Replica, &["a"], ms(0));
    assert_eq!(room.release(ms(0)), Release::Nobody);
    assert_eq!(room.arrive(reader(1), ms(0)), to("a"));
    assert_eq!(room.arrive(ticket(2), ms(0)), Arrival::Wait);
    room.dialled(Replica, &server("a"), Dial::Greeted, ms(0));
    room.session_ended(&server("a"));
    assert_eq!(released(&mut room, ms(0)), [2]);
}

#[test]
fn those_who_wait_for_the_primary_do_not_hold_up_readers() {
    let mut room = reading(ANY, &[("b", 100)]);
    assert_eq!(room.arrive(ticket(1), ms(0)), Arrival::Wait);
    assert_eq!(room.arrive(reader(2), ms(0)), to("b"));
    assert_eq!((room.waiting_for(Primary), room.waiting_for(Replica)), (1, 0));
}
