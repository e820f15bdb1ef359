//! The list of services: what a process does about its own znode, what is understood of others', when a list is believed, and
//! what Prometheus is told.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::time::Duration;

use capitana_core::services::belief::{Belief, SETTLING, Verdict};
use capitana_core::services::list::{Flaw, MAX_SERVICE_DATA, RawService, Services};
use capitana_core::services::targets::targets;
use capitana_core::services::{ConfigInUse, Seen, ServiceData, Step, step};

fn proxy(node: &str) -> ServiceData {
    ServiceData {
        node: node.to_owned(),
        addresses: vec![format!("{node}:3306")],
        admin: format!("http://{node}:9307"),
        version: "0.1.0".to_owned(),
        since: "2026-11-22T05:39:48.123Z".to_owned(),
        config: Some(ConfigInUse { version: Some(7), standing: "applied".to_owned() }),
    }
}

fn raw(id: &str, data: &[u8]) -> RawService {
    RawService { kind: "proxy".to_owned(), id: id.to_owned(), ephemeral_owner: 7, data: data.to_vec() }
}

fn list(nodes: &[&str]) -> Services {
    Services::read(nodes.iter().map(|node| raw(&format!("id-{node}"), &proxy(node).to_bytes())).collect())
}

fn flaw(raw: RawService) -> Option<Flaw> {
    let read = Services::read(vec![raw]);
    assert_eq!(read.services.len() + read.left_out.len(), 1);
    read.left_out.first().map(|left_out| left_out.reason)
}

#[test]
fn a_znode_of_this_session_that_says_what_it_should_stays() {
    assert_eq!(step(Some(Seen { is_ours: true, is_current: true })), Step::Keep);
}

#[test]
fn a_znode_of_an_earlier_session_is_replaced() {
    for is_current in [true, false] {
        assert_eq!(step(Some(Seen { is_ours: false, is_current })), Step::Delete);
    }
    assert_eq!(step(None), Step::Create);
}

#[test]
fn a_znode_with_other_data_stays_and_is_written() {
    assert_eq!(step(Some(Seen { is_ours: true, is_current: false })), Step::Write);
}

#[test]
fn what_is_not_known_is_not_written() {
    let written = ServiceData { node: "app1".to_owned(), ..ServiceData::default() }.to_bytes();
    let text = String::from_utf8_lossy(&written);
    assert!(!text.contains("admin") && !text.contains("addresses"), "{text}");
}

#[test]
fn what_a_process_writes_is_read_again() {
    let read = list(&["app1"]);
    let service = &read.services[0];
    assert_eq!((service.kind.as_str(), service.node.as_str()), ("proxy", "app1"));
    assert_eq!(service.admin.as_ref().unwrap().to_string(), "app1:9307");
    assert_eq!(service.addresses, ["app1:3306"]);
}

#[test]
fn the_order_of_a_list_does_not_depend_on_the_order_of_reading() {
    assert_eq!(list(&["app2", "app1"]), list(&["app1", "app2"]));
}

#[test]
fn a_child_that_would_outlive_its_process_is_left_out() {
    let persistent = RawService { ephemeral_owner: 0, ..raw("x", &proxy("app1").to_bytes()) };
    assert_eq!(flaw(persistent), Some(Flaw::Persistent));
}

#[test]
fn data_that_is_too_long_or_not_what_a_service_writes_is_left_out() {
    assert_eq!(flaw(raw("x", &vec![b' '; MAX_SERVICE_DATA + 1])), Some(Flaw::TooLarge));
    for data in [&b""[..], b"app1:3306", b"[]", b"{\"node\": 7}", b"\xff\xfe", b"{\"node\": \"a\\nb\"}"] {
        assert_eq!(flaw(raw("x", data)), Some(Flaw::Unparsable), "{data:?}");
    }
}

#[test]
fn an_admin_url_is_http_a_host_and_a_port_or_the_service_is_left_out() {
    for (admin, good) in [
        ("http://app1:9307", true),
        ("http://[fd00::1]:9307", true),
        ("http://app1:9307/", true),
        ("https://app1:9307", false),
        ("http://app1", false),
        ("http://[fd00::1]", false),
        ("http://app1:9307/metrics", false),
        ("app1:9307", false),
    ] {
        let data = ServiceData { admin: admin.to_owned(), ..proxy("app1") };
        assert_eq!(flaw(raw("x", &data.to_bytes())).is_none(), good, "{admin}");
    }
}

#[test]
fn one_child_that_is_not_understood_spoils_no_other() {
    let read = Services::read(vec![raw("a", b"?"), raw("b", &proxy("app1").to_bytes())]);
    assert_eq!((read.services.len(), read.left_out.len()), (1, 1));
}

#[test]
fn prometheus_is_told_of_those_it_can_reach() {
    let hidden = ServiceData { admin: String::new(), ..proxy("app2") };
    let read = Services::read(vec![raw("a", &proxy("app1").to_bytes()), raw("b", &hidden.to_bytes())]);
    let groups = targets(&read.services);
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].targets, ["app1:9307"]);
    assert_eq!(groups[0].labels["__meta_capitana_kind"], "proxy");
    assert!(groups[0].labels.keys().all(|label| label.starts_with("__meta_")), "others would be kept");
}

#[test]
fn a_service_that_goes_while_the_link_is_up_is_believed_at_once() {
    let mut belief = Belief::default();
    belief.connected(Duration::ZERO);
    for nodes in [&["app1", "app2"][..], &["app1"], &["app1", "app3"], &["app3"]] {
        assert_eq!(belief.judge(&list(nodes), Duration::from_millis(1)), Verdict::Believed, "{nodes:?}");
    }
}

#[test]
fn an_empty_list_is_believed_only_on_a_link_that_has_been_up_for_a_while() {
    let mut belief = Belief::default();
    belief.connected(Duration::from_secs(100));
    let early = belief.judge(&list(&[]), Duration::from_secs(101));
    assert_eq!(early, Verdict::Doubted(SETTLING - Duration::from_secs(1)));
    assert_eq!(belief.judge(&list(&[]), Duration::from_secs(100) + SETTLING), Verdict::Believed);
}

#[test]
fn after_an_outage_a_list_that_lacks_something_is_doubted_until_the_link_has_settled() {
    let mut belief = Belief::default();
    belief.connected(Duration::ZERO);
    assert_eq!(belief.judge(&list(&["app1", "app2"]), Duration::from_secs(1)), Verdict::Believed);
    let back = Duration::from_secs(1000);
    belief.connected(back);
    assert_ne!(belief.judge(&list(&["app1"]), back), Verdict::Believed);
    assert_eq!(belief.judge(&list(&["app1", "app2", "app3"]), back), Verdict::Believed);
    assert_ne!(belief.judge(&list(&["app1", "app2"]), back), Verdict::Believed, "app3 was believed");
    assert_eq!(belief.judge(&list(&["app1"]), back + SETTLING), Verdict::Believed);
}

#[test]
fn a_process_that_registers_anew_is_still_there() {
    let mut belief = Belief::default();
    belief.connected(Duration::ZERO);
    belief.judge(&list(&["app1"]), Duration::ZERO);
    belief.connected(Duration::from_secs(60));
    let anew = Services::read(vec![raw("another-id", &proxy("app1").to_bytes())]);
    assert_eq!(belief.judge(&anew, Duration::from_secs(60)), Verdict::Believed);
}
