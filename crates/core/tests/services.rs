//! What a process does about its own znode in the list of services.

use capitana_core::services::{Seen, ServiceData, Step, step};

#[test]
fn a_znode_of_this_session_that_says_what_it_should_stays() {
    assert_eq!(step(Some(Seen { is_ours: true, is_current: true })), Step::Keep);
}

#[test]
fn a_znode_of_an_earlier_session_or_with_other_data_is_replaced() {
    for (is_ours, is_current) in [(false, true), (true, false), (false, false)] {
        assert_eq!(step(Some(Seen { is_ours, is_current })), Step::Delete);
    }
    assert_eq!(step(None), Step::Create);
}

#[test]
fn what_is_not_known_is_not_written() {
    let written = ServiceData { node: "app1".to_owned(), ..ServiceData::default() }.to_bytes();
    let text = String::from_utf8_lossy(&written);
    assert!(!text.contains("admin") && !text.contains("addresses"), "{text}");
}
