//! Clients of the primary: their order, the limits, a server that refuses.

use capitana_core::Role::Primary;
use capitana_core::waiting::{Arrival, Cause, Dial, Limits, Release, WaitingRoom};

use super::{ANY, aim, ms, open, released, server, ticket, to};

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
