//! Clients of the replicas: who gets the next one, and what they share with the primary's.

use std::time::Duration;

use capitana_core::Role::{Primary, Replica};
use capitana_core::waiting::{Arrival, Cause, Dial, Limits, Release, WaitingRoom};

use super::{ANY, aim, ms, open, reader, released, server, targets, ticket, to};

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
