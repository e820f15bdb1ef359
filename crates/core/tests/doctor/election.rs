//! The election's znodes: who may change them, and whether they are candidates.

use capitana_core::doctor::acl::{self, ADMIN, Acl, CREATE, DELETE, Entry, Place, READ, WRITE};
use capitana_core::doctor::members;
use capitana_core::{AllowList, RawMember, RawView};

use crate::codes;

const ALL: u32 = READ | WRITE | CREATE | DELETE | ADMIN;

fn entry(scheme: &str, id: &str, permissions: u32) -> Entry {
    Entry { scheme: scheme.to_owned(), id: id.to_owned(), permissions }
}

/// Its creator may everything, and `entry` too.
fn node(path: &str, entry_for_others: Entry) -> Acl {
    Acl { path: path.to_owned(), entries: vec![entry("digest", "capitana:hash", ALL), entry_for_others] }
}

fn world(path: &str, permissions: u32) -> Acl {
    node(path, entry("world", "anyone", permissions))
}

fn found(election: &Acl, parent: &Acl, member: &Acl) -> Vec<&'static str> {
    codes(&acl::examine("election", election, std::slice::from_ref(parent), std::slice::from_ref(member)))
}

#[test]
fn each_right_of_everybody_that_changes_the_election_is_found() {
    let (election, parent) = (|rights| world("/m/p", rights), |rights| world("/m", rights));
    let member = |rights| world("/m/p/node-0", rights);
    assert_eq!(found(&election(READ), &parent(READ | CREATE), &member(READ)), Vec::<&str>::new());
    for right in [WRITE, CREATE, DELETE, ADMIN] {
        assert_eq!(found(&election(right), &parent(READ), &member(READ)), ["ZK-ACL-OPEN"], "{right}");
    }
    for right in [DELETE, ADMIN] {
        assert_eq!(found(&election(READ), &parent(right), &member(READ)), ["ZK-ACL-PARENT-OPEN"], "{right}");
    }
    for right in [WRITE, ADMIN] {
        assert_eq!(found(&election(READ), &parent(READ), &member(right)), ["ZK-ACL-MEMBER-OPEN"], "{right}");
    }
}

#[test]
fn every_address_is_everybody_and_one_network_is_not() {
    let with = |id| node("/m/p", entry("ip", id, ALL));
    let (parent, member) = (world("/", ALL), world("/m/p/node-0", READ));
    assert_eq!(found(&with("0.0.0.0/0"), &parent, &member), ["ZK-ACL-OPEN"]);
    assert_eq!(found(&with("10.0.0.0/24"), &parent, &member), Vec::<&str>::new());
}

fn config(places: &[Place]) -> Option<String> {
    let finding = acl::examine_config("settings", places)?;
    assert_eq!(finding.kind.code, "ZK-ACL-CONFIG-OPEN");
    Some(finding.found)
}

#[test]
fn each_right_of_everybody_that_changes_the_settings_of_all_daemons_is_found() {
    let there = |own, above| {
        let parent = Some(world("/c", above));
        config(&[Place::There { znode: world("/c/proxy", own), parent }])
    };
    assert_eq!(there(READ | CREATE | DELETE, READ | CREATE | WRITE), None);
    for right in [WRITE, ADMIN] {
        assert!(there(right, READ).is_some(), "{right}");
    }
    for right in [DELETE, ADMIN] {
        assert!(there(READ, right).is_some(), "{right} above");
    }
    let missing =
        |rights| config(&[Place::Missing { path: "/c/proxy".to_owned(), ancestor: world("/", rights) }]);
    assert_eq!(missing(READ | WRITE | DELETE), None);
    for right in [CREATE, ADMIN] {
        assert!(missing(right).is_some(), "{right} at the root");
    }
}

#[test]
fn open_settings_are_one_finding_that_names_every_way() {
    let places = [
        Place::There { znode: world("/c/proxy", ALL), parent: Some(world("/c", ALL)) },
        Place::Missing { path: "/c/agent".to_owned(), ancestor: world("/c", CREATE) },
    ];
    assert_eq!(
        config(&places).as_deref(),
        Some(
            "anyone may write, change the ACL at /c/proxy; anyone may delete, change the ACL at /c; anyone may create at \
             /c, where /c/agent is still to be made"
        )
    );
}

fn child(name: &str, owner: i64, data: &str) -> RawMember {
    let czxid = i64::from(name.bytes().last().unwrap());
    RawMember { name: name.to_owned(), czxid, ephemeral_owner: owner, data: data.into() }
}

fn children(members: Vec<RawMember>) -> Vec<&'static str> {
    let allowed = AllowList::new(vec!["*.internal".parse().unwrap()]);
    codes(&members::examine("election", &RawView { pzxid: 9, exists: true, members }, &allowed))
}

#[test]
fn each_child_that_is_no_candidate_gives_its_finding() {
    let good = || child("node-0000000001", 7, "db1.internal");
    assert_eq!(children(vec![good()]), Vec::<&str>::new());
    for (other, code) in [
        (child("node-0000000002", 0, "db2.internal"), "ZK-CHILD-PERSISTENT"),
        (child("note-2", 7, "db2.internal"), "ZK-CHILD-FOREIGN"),
        (child("node-0000000002", 7, "not a host"), "ZK-CHILD-UNREADABLE"),
        (child("node-0000000002", 7, "db2.elsewhere"), "ZK-CHILD-NOT-ALLOWED"),
        (child("node-0000000002", 8, "db1.internal"), "ZK-CHILD-DUPLICATE"),
    ] {
        assert_eq!(children(vec![good(), other]), [code]);
    }
}

#[test]
fn two_registrations_with_one_guid_are_found() {
    let data = |host: &str| format!(r#"{{"host": "{host}", "guid": "g"}}"#);
    let twice = vec![
        child("node-0000000001", 7, &data("db1.internal")),
        child("node-0000000002", 8, &data("db2.internal")),
    ];
    assert_eq!(children(twice), ["ZK-CHILD-DUPLICATE"]);
}

#[test]
fn an_election_without_a_candidate_is_found() {
    assert_eq!(children(Vec::new()), ["ZK-NO-MEMBER"]);
    let missing = members::examine("election", &RawView::default(), &AllowList::default());
    assert_eq!(codes(&missing), ["ZK-NO-MEMBER"]);
}

#[test]
fn candidates_that_other_agents_cannot_ask_are_found() {
    let with = |data: &str| {
        let raw = RawView { pzxid: 9, exists: true, members: vec![child("node-0000000001", 7, data)] };
        members::peers("election", &raw).map(|finding| finding.kind.code)
    };
    assert_eq!(with("db1.internal"), Some("FENCE-PEERS"));
    assert_eq!(with(r#"{"host": "db1.internal"}"#), Some("FENCE-PEERS"));
    assert_eq!(with(r#"{"host": "db1.internal", "admin": "db1.internal:9308"}"#), None);
}
