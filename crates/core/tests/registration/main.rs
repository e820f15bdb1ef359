//! Which request an agent makes of ZooKeeper, one behaviour a test. Random histories are in `registration_walk`.

mod leading;

use capitana_core::Epoch;
use capitana_core::registration::{Change, Event, OwnZnode, Registration, Request};

const SESSION: i64 = 7;

fn znode(sequence: i64, session: i64) -> OwnZnode {
    OwnZnode { name: format!("node-{sequence:010}"), epoch: Epoch(sequence), session }
}

fn seen(own: &[OwnZnode]) -> Event {
    Event::Seen { exists: true, own: own.to_vec() }
}

/// An agent that wants a znode, has looked, and is told to create it.
fn creating() -> Registration {
    let mut agent = Registration::new();
    agent.on(Event::Wanted(true));
    agent.on(Event::SessionBegan(SESSION));
    assert_eq!(agent.next_request(), Some(Request::Look));
    agent.on(seen(&[]));
    assert_eq!(agent.next_request(), Some(Request::Create));
    agent
}

fn registered() -> Registration {
    let mut agent = creating();
    assert_eq!(agent.on(Event::Created(znode(1, SESSION))), Change::Registered(znode(1, SESSION)));
    agent
}

#[test]
fn nothing_is_asked_without_a_session() {
    let mut agent = Registration::new();
    agent.on(Event::Wanted(true));
    assert_eq!(agent.next_request(), None);
}

#[test]
fn nothing_is_asked_while_the_link_is_down() {
    let mut agent = registered();
    agent.on(Event::LinkDown);
    agent.on(Event::Wanted(false));
    assert_eq!(agent.next_request(), None);
    agent.on(Event::LinkUp);
    assert_eq!(agent.next_request(), Some(Request::Delete(znode(1, SESSION).name)));
}

#[test]
fn one_request_is_made_at_a_time() {
    let mut agent = creating();
    agent.on(Event::Recheck);
    assert_eq!(agent.next_request(), None);
}

#[test]
fn a_missing_election_path_is_created_first() {
    let mut agent = Registration::new();
    agent.on(Event::Wanted(true));
    agent.on(Event::SessionBegan(SESSION));
    agent.next_request();
    agent.on(Event::Seen { exists: false, own: Vec::new() });
    assert_eq!(agent.next_request(), Some(Request::EnsurePath));
    agent.on(Event::PathReady);
    assert_eq!(agent.next_request(), Some(Request::Create));
}

#[test]
fn a_registered_agent_rests() {
    assert_eq!(registered().next_request(), None);
}

#[test]
fn a_znode_whose_creation_was_not_acknowledged_is_found_again() {
    let mut agent = creating();
    agent.on(Event::Failed);
    assert_eq!(agent.next_request(), Some(Request::Look));
    assert_eq!(agent.on(seen(&[znode(1, SESSION)])), Change::Registered(znode(1, SESSION)));
    assert_eq!(agent.next_request(), None);
}

#[test]
fn a_znode_whose_creation_failed_is_created_after_a_look() {
    let mut agent = creating();
    agent.on(Event::Failed);
    assert_eq!(agent.next_request(), Some(Request::Look));
    agent.on(seen(&[]));
    assert_eq!(agent.next_request(), Some(Request::Create));
}

#[test]
fn an_unwanted_znode_is_deleted_before_anything_is_read() {
    let mut agent = registered();
    agent.on(Event::Recheck);
    agent.on(Event::Wanted(false));
    assert_eq!(agent.next_request(), Some(Request::Delete(znode(1, SESSION).name)));
    assert_eq!(agent.on(Event::Deleted), Change::Withdrawn(znode(1, SESSION)));
}

#[test]
fn a_znode_that_is_no_longer_wanted_when_it_was_created_is_deleted() {
    let mut agent = creating();
    agent.on(Event::Wanted(false));
    assert!(!agent.is_withdrawn());
    agent.on(Event::Created(znode(1, SESSION)));
    assert_eq!(agent.next_request(), Some(Request::Delete(znode(1, SESSION).name)));
    agent.on(Event::Deleted);
    assert!(agent.is_withdrawn());
}

#[test]
fn a_deletion_of_unknown_outcome_is_looked_into_and_repeated() {
    let mut agent = registered();
    agent.on(Event::Wanted(false));
    agent.next_request();
    agent.on(Event::Failed);
    assert!(!agent.is_withdrawn());
    assert_eq!(agent.next_request(), Some(Request::Delete(znode(1, SESSION).name)));
}

#[test]
fn a_znode_deleted_by_somebody_else_is_created_again() {
    let mut agent = registered();
    agent.on(Event::Recheck);
    assert_eq!(agent.next_request(), Some(Request::Look));
    assert_eq!(agent.on(seen(&[])), Change::Lost(znode(1, SESSION)));
    assert_eq!(agent.next_request(), Some(Request::Create));
}

#[test]
fn a_znode_of_an_earlier_session_is_removed_before_a_new_one_is_created() {
    let mut agent = registered();
    assert_eq!(agent.on(Event::SessionOver), Change::Lost(znode(1, SESSION)));
    assert_eq!(agent.next_request(), None);
    agent.on(Event::SessionBegan(8));
    assert_eq!(agent.next_request(), Some(Request::Look));
    assert_eq!(agent.on(seen(&[znode(1, SESSION)])), Change::None);
    assert_eq!(agent.next_request(), Some(Request::Delete(znode(1, SESSION).name)));
    assert_eq!(agent.on(Event::Deleted), Change::RemovedLeftover(znode(1, SESSION).name));
    assert_eq!(agent.next_request(), Some(Request::Create));
}

#[test]
fn of_two_znodes_of_its_session_an_agent_keeps_the_older() {
    let mut agent = creating();
    agent.on(Event::Failed);
    agent.next_request();
    assert_eq!(
        agent.on(seen(&[znode(3, SESSION), znode(2, SESSION)])),
        Change::Registered(znode(2, SESSION))
    );
    assert_eq!(agent.next_request(), Some(Request::Delete(znode(3, SESSION).name)));
}

#[test]
fn a_change_during_a_look_asks_for_another_one() {
    let mut agent = registered();
    agent.on(Event::Recheck);
    assert_eq!(agent.next_request(), Some(Request::Look));
    agent.on(Event::Recheck);
    agent.on(seen(&[znode(1, SESSION)]));
    assert_eq!(agent.next_request(), Some(Request::Look));
}

#[test]
fn beside_a_rivals_znode_none_is_created_until_it_is_gone() {
    let mut agent = Registration::new();
    agent.on(Event::Wanted(true));
    agent.on(Event::SessionBegan(SESSION));
    assert_eq!(agent.next_request(), Some(Request::Look));
    agent.on(Event::Rival(true));
    agent.on(seen(&[]));
    assert_eq!(agent.next_request(), None);
    agent.on(Event::Recheck);
    assert_eq!(agent.next_request(), Some(Request::Look));
    agent.on(Event::Rival(false));
    agent.on(seen(&[]));
    assert_eq!(agent.next_request(), Some(Request::Create));
}

#[test]
fn an_agents_left_over_znodes_are_removed_beside_a_rival_too() {
    let mut agent = Registration::new();
    agent.on(Event::SessionBegan(SESSION));
    assert_eq!(agent.next_request(), Some(Request::Look));
    agent.on(Event::Rival(true));
    agent.on(seen(&[znode(1, SESSION - 1)]));
    assert_eq!(agent.next_request(), Some(Request::Delete(znode(1, SESSION).name)));
}

#[test]
fn data_that_is_renewed_is_written_into_the_znode_once() {
    let mut agent = registered();
    agent.on(Event::Renewed);
    assert_eq!(agent.next_request(), Some(Request::Update(znode(1, SESSION).name)));
    agent.on(Event::Updated);
    assert_eq!(agent.next_request(), None);
}

#[test]
fn data_that_is_renewed_while_it_is_written_is_written_again() {
    let mut agent = registered();
    agent.on(Event::Renewed);
    assert!(agent.next_request().is_some());
    agent.on(Event::Renewed);
    agent.on(Event::Updated);
    assert_eq!(agent.next_request(), Some(Request::Update(znode(1, SESSION).name)));
}

#[test]
fn a_write_whose_reply_is_lost_is_made_again_after_a_look() {
    let mut agent = registered();
    agent.on(Event::Renewed);
    assert!(agent.next_request().is_some());
    agent.on(Event::Failed);
    assert_eq!(agent.next_request(), Some(Request::Look));
    agent.on(Event::Seen { exists: true, own: vec![znode(1, SESSION)] });
    assert_eq!(agent.next_request(), Some(Request::Update(znode(1, SESSION).name)));
}

#[test]
fn a_znode_that_is_not_wanted_is_deleted_and_not_renewed() {
    let mut agent = registered();
    agent.on(Event::Renewed);
    agent.on(Event::Wanted(false));
    assert_eq!(agent.next_request(), Some(Request::Delete(znode(1, SESSION).name)));
}

#[test]
fn data_that_is_renewed_before_the_znode_is_created_is_in_it() {
    let mut agent = Registration::new();
    agent.on(Event::Renewed);
    agent.on(Event::SessionBegan(SESSION));
    agent.on(Event::Wanted(true));
    assert_eq!(agent.next_request(), Some(Request::Look));
    agent.on(Event::Seen { exists: true, own: Vec::new() });
    assert_eq!(agent.next_request(), Some(Request::Create));
    agent.on(Event::Created(znode(1, SESSION)));
    assert_eq!(agent.next_request(), None);
}
