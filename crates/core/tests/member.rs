//! How one child of the election path is understood: a host name, an address, or capitana's JSON.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::fmt::Write;

use capitana_core::{
    AllowList, Epoch, MAX_MEMBER_DATA, Member, MemberData, RawMember, SkipReason, name_after_wrap, sequence,
};
use proptest::prelude::*;

fn raw(data: impl AsRef<[u8]>) -> RawMember {
    RawMember {
        name: "node-0000000003".to_owned(),
        czxid: 5,
        ephemeral_owner: 7,
        data: data.as_ref().to_vec(),
    }
}

fn read(data: impl AsRef<[u8]>) -> Result<Member, SkipReason> {
    raw(data).read(&AllowList::default())
}

fn upstream(data: impl AsRef<[u8]>) -> String {
    read(data).unwrap().upstream.to_string()
}

fn allowing(rule: &str) -> AllowList {
    AllowList::new(vec![rule.parse().unwrap()])
}

#[test]
fn a_bare_host_is_on_mariadbs_port() {
    assert_eq!(upstream("db1.internal"), "db1.internal:3306");
}

#[test]
fn a_host_with_a_port_keeps_it() {
    assert_eq!(upstream("10.0.0.1:3307"), "10.0.0.1:3307");
}

#[test]
fn white_space_around_an_address_is_ignored() {
    assert_eq!(upstream(" db1:3307\r\n"), "db1:3307");
}

#[test]
fn an_ipv6_address_is_understood_with_and_without_brackets() {
    assert_eq!(upstream("::1"), "[::1]:3306");
    assert_eq!(upstream("[fd00::1]:3307"), "[fd00::1]:3307");
}

#[test]
fn json_names_host_and_port_and_node() {
    let member = read(r#"{"host": "db1", "port": 3307, "node": "one"}"#).unwrap();
    assert_eq!(member.upstream.to_string(), "db1:3307");
    assert_eq!(member.node.as_deref(), Some("one"));
    assert_eq!((member.name.as_str(), member.epoch), ("node-0000000003", Epoch(5)));
}

#[test]
fn json_without_a_port_is_on_mariadbs_port() {
    assert_eq!(upstream(r#"{"host": "db1"}"#), "db1:3306");
}

#[test]
fn a_member_that_says_no_weight_has_the_usual_one() {
    for data in ["db1", r#"{"host": "db1"}"#] {
        let member = read(data).unwrap();
        assert_eq!((member.weight, member.lag), (100, None));
    }
    assert_eq!(read(r#"{"host": "db1", "weight": 0}"#).unwrap().weight, 0);
}

#[test]
fn json_of_a_later_version_is_understood_as_far_as_possible() {
    assert_eq!(upstream(r#"{"host": "db1", "weight": 3, "zone": {"name": "a"}}"#), "db1:3306");
}

#[test]
fn what_an_agent_writes_is_what_a_proxy_reads() {
    let data = MemberData {
        host: "db1.internal".to_owned(),
        port: 3307,
        guid: Some("5f0c".to_owned()),
        node: Some("one".to_owned()),
        version: Some("0.1.0".to_owned()),
        since_ms: Some(1_700_000_000_000),
        weight: Some(100),
        admin: Some("db1.internal:9308".to_owned()),
        incarnation: Some(3),
        lag: Some(17),
    };
    let member = read(serde_json::to_vec(&data).unwrap()).unwrap();
    assert_eq!(member.upstream.to_string(), "db1.internal:3307");
    assert_eq!(member.node, data.node);
    assert_eq!((member.weight, member.lag), (100, Some(17)));
}

#[test]
fn a_name_without_the_prefix_is_skipped() {
    let child = RawMember { name: "lock-0000000003".to_owned(), ..raw("db1") };
    assert_eq!(child.read(&AllowList::default()), Err(SkipReason::Name));
}

#[test]
fn a_persistent_child_is_skipped() {
    let child = RawMember { ephemeral_owner: 0, ..raw("db1") };
    assert_eq!(child.read(&AllowList::default()), Err(SkipReason::Persistent));
}

#[test]
fn data_beyond_the_limit_is_skipped_and_data_at_the_limit_is_read() {
    let mut data = r#"{"host":"db1"}"#.to_owned();
    write!(data, "{}", " ".repeat(MAX_MEMBER_DATA - data.len())).unwrap();
    assert_eq!(upstream(&data), "db1:3306");
    data.push(' ');
    assert_eq!(read(&data), Err(SkipReason::TooLarge));
}

#[test]
fn data_that_names_no_server_is_skipped() {
    let wrong = [
        "",
        " ",
        "db1:",
        "db1:0",
        "db1:65536",
        "db1:33x6",
        "db 1",
        "[::1",
        "-db1",
        "{",
        "{}",
        r#"{"host": ""}"#,
        r#"{"host": "db1", "port": 0}"#,
        r#"{"host": "db1", "port": 70000}"#,
        r#"{"host": ["db1"]}"#,
        "\u{0}db1",
        "http://db1",
    ];
    for data in wrong {
        assert_eq!(read(data), Err(SkipReason::Unparsable), "{data:?}");
    }
    assert_eq!(read(b"db\xff"), Err(SkipReason::Unparsable));
}

#[test]
fn an_upstream_outside_the_allow_list_is_skipped() {
    assert_eq!(raw("10.1.0.1").read(&allowing("10.0.0.0/16")), Err(SkipReason::NotAllowed));
    assert!(raw("10.0.0.1").read(&allowing("10.0.0.0/16")).is_ok());
    assert_eq!(raw("db1.internal.evil.com").read(&allowing("*.internal")), Err(SkipReason::NotAllowed));
    assert!(raw("DB1.Internal").read(&allowing("*.internal")).is_ok());
}

#[test]
fn every_reason_to_skip_has_a_label_of_its_own() {
    let mut labels: Vec<_> = SkipReason::ALL.iter().map(|r| r.label()).collect();
    for (reason, label) in SkipReason::ALL.iter().zip(&labels) {
        assert_eq!(serde_json::to_value(reason).unwrap(), *label);
    }
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), SkipReason::ALL.len());
}

proptest! {
    #[test]
    fn arbitrary_data_is_read_or_skipped_without_a_panic(data: Vec<u8>) {
        let _ = read(data);
    }

    #[test]
    fn whatever_host_and_port_json_carries_comes_out_again(host in "[a-z][a-z0-9]{0,20}", port in 1..=u16::MAX) {
        let json = serde_json::json!({ "host": host, "port": port });
        prop_assert_eq!(upstream(json.to_string()), format!("{host}:{port}"));
        let text = format!("{host}:{port}");
        prop_assert_eq!(upstream(&text), text);
    }
}

#[test]
fn a_name_is_node_and_a_number_as_zookeeper_writes_it() {
    let written = [
        ("node-0000000000", 0),
        ("node-2147483647", i64::from(i32::MAX)),
        ("node--2147483648", i64::from(i32::MIN)),
        ("node--000000001", -1),
    ];
    for (name, number) in written {
        assert_eq!(sequence(name), Some(number), "{name}");
    }
}

#[test]
fn a_name_that_zookeeper_would_not_write_is_no_candidates() {
    let others = ["node-abc", "node-", "node-1", "node-00000000001", "node-+000000001", "lock-0000000001"];
    for name in others {
        assert_eq!(sequence(name), None, "{name}");
        let member = RawMember { name: name.to_owned(), ..raw("db1") };
        assert_eq!(member.read(&AllowList::default()), Err(SkipReason::Name), "{name}");
    }
}

#[test]
fn names_go_on_with_the_negative_numbers_once_the_counter_is_at_its_end() {
    assert_eq!(name_after_wrap(["node-2147483646", "node-2147483647"]), "node--2147483648");
    assert_eq!(name_after_wrap(["node--2147483648", "node-2147483647", "a note"]), "node--2147483647");
    assert_eq!(name_after_wrap([]), "node--2147483648");
}

proptest! {
    #[test]
    fn every_number_is_read_back_from_its_name(number: i32) {
        prop_assert_eq!(sequence(&format!("node-{number:010}")), Some(i64::from(number)));
    }
}
