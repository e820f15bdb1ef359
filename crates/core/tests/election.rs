//! Which primary is followed, one behaviour a test. Random histories are in `election_walk`.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::time::Duration;

use capitana_core::election::{Change, Event, newly_skipped};
use capitana_core::{AllowList, Election, Epoch, Link, RawMember, RawView, Route, SkipReason};

fn member(name: &str, czxid: i64, data: &str) -> RawMember {
    RawMember { name: name.to_owned(), czxid, ephemeral_owner: 7, data: data.as_bytes().to_vec() }
}

fn view(pzxid: i64, members: Vec<RawMember>) -> Event {
    Event::Read(RawView { pzxid, exists: true, members })
}

fn no_path() -> Event {
    Event::Read(RawView::default())
}

fn on(election: &mut Election, event: Event) -> Change {
    election.on(event, Duration::ZERO)
}

fn route(epoch: i64, upstream: &str) -> Route {
    Route { epoch: Epoch(epoch), upstream: upstream.parse().unwrap() }
}

fn election() -> Election {
    let mut election = Election::new(AllowList::default());
    on(&mut election, Event::LinkUp);
    election
}

/// An election that follows db1 in epoch 10.
fn following() -> Election {
    let mut election = election();
    let opened = on(&mut election, view(10, vec![member("node-0000000000", 10, "db1")]));
    assert_eq!(opened, Change::Opened(route(10, "db1:3306")));
    election
}

#[test]
fn the_oldest_candidate_is_followed() {
    let mut election = election();
    let change = on(
        &mut election,
        view(30, vec![member("node-0000000001", 20, "db2"), member("node-0000000000", 10, "db1:3307")]),
    );
    assert_eq!(change, Change::Opened(route(10, "db1:3307")));
    assert_eq!(election.route(), Some(&route(10, "db1:3307")));
}

#[test]
fn the_order_is_that_of_creation_and_not_that_of_names() {
    // A sequence number that has wrapped: -2147483648 comes after 2147483647.
    let wrapped = member("node--2147483648", 21, "db2");
    let mut election = election();
    let change = on(&mut election, view(30, vec![wrapped, member("node-2147483647", 20, "db1")]));
    assert_eq!(change, Change::Opened(route(20, "db1:3306")));
}

#[test]
fn reading_the_same_again_changes_nothing() {
    let mut election = following();
    assert_eq!(on(&mut election, view(10, vec![member("node-0000000000", 10, "db1")])), Change::None);
}

#[test]
fn a_further_candidate_changes_nothing() {
    let mut election = following();
    let two = vec![member("node-0000000000", 10, "db1"), member("node-0000000001", 11, "db2")];
    assert_eq!(on(&mut election, view(11, two)), Change::None);
    assert_eq!(election.view().members.len(), 2);
}

#[test]
fn the_next_candidate_is_followed_when_the_primary_leaves() {
    let mut election = following();
    on(
        &mut election,
        view(11, vec![member("node-0000000000", 10, "db1"), member("node-0000000001", 11, "db2")]),
    );
    let change = on(&mut election, view(12, vec![member("node-0000000001", 11, "db2")]));
    assert_eq!(change, Change::Opened(route(11, "db2:3306")));
}

#[test]
fn a_reading_older_than_one_already_seen_is_ignored() {
    let mut election = following();
    on(&mut election, view(12, vec![member("node-0000000001", 11, "db2")]));
    let stale = vec![member("node-0000000000", 10, "db1"), member("node-0000000001", 11, "db2")];
    assert_eq!(on(&mut election, view(11, stale)), Change::Stale);
    assert_eq!(election.route(), Some(&route(11, "db2:3306")));
    assert_eq!(election.view().members.len(), 1);
}

#[test]
fn a_stale_reading_does_not_make_the_view_young() {
    let mut election = election();
    election.on(view(10, vec![member("node-0000000000", 10, "db1")]), Duration::from_secs(1));
    election.on(view(9, vec![]), Duration::from_secs(5));
    assert_eq!(election.read_at(), Some(Duration::from_secs(1)));
}

#[test]
fn the_view_has_no_age_before_the_first_reading() {
    assert_eq!(election().read_at(), None);
}

#[test]
fn a_candidate_older_than_the_followed_epoch_is_passed_over() {
    let mut election = election();
    // db1's data becomes readable only after db2 was followed.
    on(
        &mut election,
        view(11, vec![member("node-0000000000", 10, ""), member("node-0000000001", 11, "db2")]),
    );
    let both = vec![member("node-0000000000", 10, "db1"), member("node-0000000001", 11, "db2")];
    assert_eq!(on(&mut election, view(11, both)), Change::None);
    assert_eq!(election.route(), Some(&route(11, "db2:3306")));
}

#[test]
fn an_older_candidate_is_not_followed_even_if_it_is_the_only_one() {
    let mut election = election();
    on(
        &mut election,
        view(11, vec![member("node-0000000000", 10, ""), member("node-0000000001", 11, "db2")]),
    );
    assert_eq!(on(&mut election, view(12, vec![member("node-0000000000", 10, "db1")])), Change::Closed);
    assert_eq!(election.route(), None);
}

#[test]
fn a_primary_that_comes_back_does_not_take_over() {
    let mut election = following();
    on(&mut election, view(12, vec![member("node-0000000001", 11, "db2")]));
    let back = vec![member("node-0000000001", 11, "db2"), member("node-0000000002", 13, "db1")];
    assert_eq!(on(&mut election, view(13, back)), Change::None);
    assert_eq!(election.route(), Some(&route(11, "db2:3306")));
}

#[test]
fn the_election_closes_when_the_last_candidate_leaves() {
    let mut election = following();
    assert_eq!(on(&mut election, view(11, vec![])), Change::Closed);
    assert_eq!(on(&mut election, view(12, vec![])), Change::None);
}

#[test]
fn the_election_closes_when_its_path_is_deleted() {
    assert_eq!(on(&mut following(), no_path()), Change::Closed);
}

#[test]
fn the_election_opens_again_when_its_path_is_made_anew() {
    let mut election = following();
    on(&mut election, no_path());
    let change = on(&mut election, view(20, vec![member("node-0000000000", 20, "db1")]));
    assert_eq!(change, Change::Opened(route(20, "db1:3306")));
}

#[test]
fn losing_zookeeper_leaves_the_route_as_it_is() {
    let mut election = following();
    assert_eq!(on(&mut election, Event::LinkDown("reset".into())), Change::None);
    assert_eq!(election.route(), Some(&route(10, "db1:3306")));
    assert_eq!(election.why_no_route(), None);
}

#[test]
fn a_link_that_was_never_up_says_so_with_the_last_cause() {
    let mut election = Election::new(AllowList::default());
    assert_eq!(election.link(), &Link::NeverUp(None));
    on(&mut election, Event::LinkDown("refused".into()));
    on(&mut election, Event::LinkDown("timed out".into()));
    assert_eq!(election.link(), &Link::NeverUp(Some("timed out".into())));
}

#[test]
fn a_link_that_was_up_is_down_with_the_last_cause_and_up_again() {
    let mut election = election();
    on(&mut election, Event::LinkDown("reset".into()));
    on(&mut election, Event::LinkDown("refused".into()));
    assert_eq!(election.link(), &Link::Down("refused".into()));
    on(&mut election, Event::LinkUp);
    assert_eq!(election.link(), &Link::Up);
}

#[test]
fn why_there_is_no_route_names_what_is_missing() {
    let mut election = Election::new(AllowList::default());
    let why = |election: &Election| election.why_no_route().unwrap();
    assert_eq!(why(&election), "ZooKeeper has not answered yet");
    on(&mut election, Event::LinkDown("connection refused".into()));
    assert_eq!(why(&election), "ZooKeeper cannot be reached: connection refused");
    on(&mut election, Event::LinkUp);
    assert_eq!(why(&election), "the election has not been read yet");
    on(&mut election, no_path());
    assert_eq!(why(&election), "the election path does not exist, so no agent has registered yet");
    on(&mut election, view(10, vec![]));
    assert_eq!(why(&election), "no server is registered in the election");
    on(&mut election, view(11, vec![member("node-0000000000", 11, "not a host")]));
    assert_eq!(why(&election), "none of the 1 registered servers can be used");
}

#[test]
fn why_there_is_no_route_names_zookeeper_when_it_was_lost_before_the_first_reading() {
    let mut election = election();
    on(&mut election, Event::LinkDown("reset".into()));
    assert_eq!(election.why_no_route().unwrap(), "ZooKeeper cannot be reached: reset");
}

#[test]
fn why_there_is_no_route_names_zookeeper_when_it_was_lost_after_the_last_reading() {
    let mut election = election();
    on(&mut election, view(10, vec![]));
    on(&mut election, Event::LinkDown("reset".into()));
    let why = election.why_no_route().unwrap();
    assert_eq!(
        why,
        "no server is registered in the election, and ZooKeeper cannot be reached any more: reset"
    );
}

#[test]
fn only_members_that_were_not_skipped_before_are_new() {
    let mut election = election();
    let rogue = member("rogue", 5, "db9");
    on(&mut election, view(5, vec![rogue.clone()]));
    let before = election.view().clone();
    on(&mut election, view(6, vec![rogue, member("node-0000000000", 6, "")]));
    let new = newly_skipped(&before, election.view());
    assert_eq!(new.len(), 1);
    assert_eq!((new[0].name.as_str(), new[0].reason), ("node-0000000000", SkipReason::Unparsable));
}

#[test]
fn a_list_seen_unchanged_makes_the_view_young() {
    let mut election = election();
    election.on(view(10, vec![member("node-0000000000", 10, "db1")]), Duration::from_secs(1));
    assert_eq!(election.on(Event::Seen(10), Duration::from_secs(5)), Change::None);
    assert_eq!(election.read_at(), Some(Duration::from_secs(5)));
}

#[test]
fn a_list_seen_changed_does_not_make_the_view_young() {
    let mut election = election();
    election.on(view(10, vec![member("node-0000000000", 10, "db1")]), Duration::from_secs(1));
    election.on(Event::Seen(11), Duration::from_secs(5));
    assert_eq!(election.read_at(), Some(Duration::from_secs(1)));
}

#[test]
fn an_epoch_keeps_the_address_it_was_first_followed_to() {
    let mut election = following();
    let change = on(&mut election, view(10, vec![member("node-0000000000", 10, "db2")]));
    assert_eq!(change, Change::None);
    assert_eq!(election.route(), Some(&route(10, "db1:3306")));
}
