//! Whether a znode may lead clients to the agent's server, and whether it stays.

use capitana_core::registration::{Event, Registration, Request};

use super::{SESSION, creating, registered, seen, znode};

#[test]
fn a_server_may_lead_by_a_znode_whose_creation_was_not_acknowledged_until_a_look_shows_that_there_is_none() {
    let mut agent = creating();
    assert!(agent.may_lead());
    agent.on(Event::LinkDown);
    agent.on(Event::Failed);
    assert!(agent.may_lead());
    agent.on(Event::LinkUp);
    assert_eq!(agent.next_request(), Some(Request::Look));
    assert!(agent.may_lead());
    agent.on(seen(&[]));
    assert!(!agent.may_lead());
}

#[test]
fn what_is_there_when_a_session_goes_on_may_lead_until_it_was_read() {
    let mut agent = registered();
    agent.on(Event::SessionOver);
    assert!(agent.may_lead());
    agent.on(Event::SessionBegan(SESSION));
    agent.on(Event::Wanted(false));
    assert!(agent.may_lead());
    assert_eq!(agent.next_request(), Some(Request::Look));
    agent.on(seen(&[]));
    assert!(!agent.may_lead());
}

#[test]
fn a_znode_that_is_wanted_again_while_it_is_being_deleted_does_not_stand() {
    let mut agent = registered();
    assert!(agent.is_standing());
    agent.on(Event::Wanted(false));
    agent.next_request();
    agent.on(Event::Wanted(true));
    assert!(!agent.is_standing());
    agent.on(Event::Deleted);
    assert!(!agent.is_standing());
    let mut cut = registered();
    cut.on(Event::LinkDown);
    assert!(!cut.is_standing());
}

#[test]
fn who_certainly_has_no_znode_has_none_when_the_session_is_over() {
    let mut agent = Registration::new();
    agent.on(Event::SessionBegan(SESSION));
    agent.next_request();
    agent.on(seen(&[]));
    agent.on(Event::LinkDown);
    agent.on(Event::SessionOver);
    assert!(!agent.may_lead());
    let mut registered = registered();
    registered.on(Event::SessionOver);
    assert!(registered.may_lead());
}

#[test]
fn a_znode_that_is_left_over_may_lead_until_it_is_removed() {
    let mut agent = Registration::new();
    agent.on(Event::SessionBegan(SESSION));
    assert_eq!(agent.next_request(), Some(Request::Look));
    agent.on(seen(&[znode(1, 3)]));
    assert!(agent.may_lead());
    assert_eq!(agent.next_request(), Some(Request::Delete(znode(1, 3).name)));
    agent.on(Event::Deleted);
    assert!(!agent.may_lead());
}

#[test]
fn a_rivals_znode_may_lead_to_this_server() {
    let mut agent = Registration::new();
    agent.on(Event::SessionBegan(SESSION));
    assert_eq!(agent.next_request(), Some(Request::Look));
    agent.on(Event::Rival(true));
    agent.on(seen(&[]));
    assert!(agent.may_lead());
}
