//! What a reading of the election path means: candidates in order, the rest with a reason.

use capitana_core::{AllowList, Epoch, RawMember, RawView, SkipReason, View};
use proptest::prelude::*;

fn raw(name: &str, czxid: i64, data: &[u8]) -> RawMember {
    RawMember { name: name.to_owned(), czxid, ephemeral_owner: 7, data: data.to_vec() }
}

fn read(members: Vec<RawMember>) -> View {
    View::read(&RawView { pzxid: 1, exists: true, members }, &AllowList::default())
}

#[test]
fn candidates_are_ordered_by_creation() {
    let view = read(vec![
        raw("node-0000000001", 30, b"c"),
        raw("node-0000000002", 10, b"a"),
        raw("node-0000000000", 20, b"b"),
    ]);
    let hosts: Vec<_> = view.members.iter().map(|m| m.upstream.host()).collect();
    assert_eq!(hosts, ["a", "b", "c"]);
}

#[test]
fn children_that_are_no_candidates_are_ordered_too_and_have_a_reason() {
    let view = read(vec![raw("lock-1", 30, b"c"), raw("node-0000000002", 10, b"")]);
    let skipped: Vec<_> = view.skipped.iter().map(|s| (s.epoch, s.reason)).collect();
    assert_eq!(skipped, [(Epoch(10), SkipReason::Unparsable), (Epoch(30), SkipReason::Name)]);
    assert!(view.members.is_empty());
}

#[test]
fn a_long_name_of_a_skipped_child_is_cut() {
    let view = read(vec![raw(&"ä".repeat(200), 1, b"a")]);
    assert_eq!(view.skipped[0].name, "ä".repeat(60));
}

#[test]
fn a_path_without_children_is_an_empty_view() {
    assert_eq!(read(vec![]), View::default());
}

proptest! {
    #[test]
    fn every_child_is_a_candidate_or_skipped(
        children in prop::collection::vec((".{0,80}", any::<i64>(), any::<bool>(), any::<Vec<u8>>()), 0..20),
    ) {
        let members: Vec<_> = children
            .into_iter()
            .map(|(name, czxid, ephemeral, data)| RawMember {
                name,
                czxid,
                ephemeral_owner: i64::from(ephemeral),
                data,
            })
            .collect();
        let view = read(members.clone());
        prop_assert_eq!(view.members.len() + view.skipped.len(), members.len());
        prop_assert!(view.members.is_sorted_by_key(|m| m.epoch));
        prop_assert!(view.skipped.is_sorted_by_key(|s| s.epoch));
    }
}
