//! What is an address and what an allow-list lets through.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::net::IpAddr;

use capitana_core::{AllowList, AllowRule, HostPort, HostPortError};
use proptest::prelude::*;

fn address(text: &str) -> HostPort {
    text.parse().unwrap()
}

fn allowed(rule: &str, member: &str) -> bool {
    AllowList::new(vec![rule.parse::<AllowRule>().unwrap()]).allows(&address(member))
}

#[test]
fn a_host_alone_gets_mariadbs_port() {
    assert_eq!(address("db1.internal").to_string(), "db1.internal:3306");
}

#[test]
fn a_port_that_is_named_counts() {
    assert_eq!(address("db1:3307").port(), 3307);
}

#[test]
fn an_ipv6_address_needs_brackets_only_for_a_port() {
    assert_eq!(address("::1").to_string(), "[::1]:3306");
    assert_eq!(address("[::1]").to_string(), "[::1]:3306");
    assert_eq!(address("[::1]:3307").to_string(), "[::1]:3307");
}

#[test]
fn names_are_compared_without_regard_to_case() {
    assert_eq!(address("DB1.Internal"), address("db1.internal"));
}

#[test]
fn a_bad_port_is_named() {
    for port in ["0", "65536", "", "+1", " 1", "x", "3306 "] {
        assert_eq!(format!("db1:{port}").parse::<HostPort>(), Err(HostPortError::Port(port.to_owned())));
    }
}

#[test]
fn a_bad_host_is_refused() {
    for host in ["", ".", "-db", "db-", "db 1", "db/1", "a..b", "db1\n", "käse"] {
        assert!(matches!(host.parse::<HostPort>(), Err(HostPortError::Host(_))), "{host:?}");
    }
}

#[test]
fn a_label_has_63_characters_at_most() {
    assert!("a".repeat(63).parse::<HostPort>().is_ok());
    assert!("a".repeat(64).parse::<HostPort>().is_err());
}

#[test]
fn hostile_text_is_quoted_short_and_printable() {
    let error = format!("\u{1b}[2J{}", "x".repeat(1000)).parse::<HostPort>().unwrap_err().to_string();
    assert!(error.len() < 120 && error.is_ascii() && !error.contains('\u{1b}'), "{error}");
}

#[test]
fn an_address_is_a_string_in_json() {
    let json = serde_json::to_string(&address("db1:3307")).unwrap();
    assert_eq!(json, "\"db1:3307\"");
    assert_eq!(serde_json::from_str::<HostPort>(&json).unwrap(), address("db1:3307"));
}

#[test]
fn an_empty_list_allows_every_member() {
    assert!(AllowList::default().allows(&address("anything.example")));
}

#[test]
fn a_network_allows_the_addresses_in_it() {
    assert!(allowed("10.1.0.0/16", "10.1.255.255"));
    assert!(!allowed("10.1.0.0/16", "10.2.0.0"));
    assert!(allowed("fd00::/8", "[fdff::1]:3306"));
    assert!(!allowed("fd00::/8", "[fe00::1]:3306"));
}

#[test]
fn a_network_of_one_kind_allows_no_address_of_the_other() {
    assert!(!allowed("0.0.0.0/0", "[::1]:3306"));
    assert!(!allowed("::/0", "127.0.0.1"));
}

#[test]
fn a_network_allows_no_name() {
    assert!(!allowed("0.0.0.0/0", "db1.internal"));
}

#[test]
fn an_address_allows_only_itself() {
    assert!(allowed("10.0.0.1", "10.0.0.1:3307"));
    assert!(!allowed("10.0.0.1", "10.0.0.2"));
}

#[test]
fn a_name_allows_only_itself() {
    assert!(allowed("DB1.internal", "db1.INTERNAL:3307"));
    assert!(!allowed("db1.internal", "xdb1.internal"));
}

#[test]
fn a_domain_allows_the_names_below_it_but_not_itself() {
    assert!(allowed("*.db.internal", "a.b.db.internal"));
    assert!(!allowed("*.db.internal", "db.internal"));
    assert!(!allowed("*.db.internal", "evildb.internal"));
}

#[test]
fn a_prefix_longer_than_an_address_is_no_rule() {
    for rule in ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "db1/8", "*.", "*", "*.*.internal"] {
        assert!(rule.parse::<AllowRule>().is_err(), "{rule}");
    }
}

proptest! {
    #[test]
    fn an_address_that_is_printed_reads_as_itself(host in "[a-z0-9]([a-z0-9_-]{0,20}[a-z0-9])?", port in 1u16..) {
        let address = HostPort::new(&host, port).unwrap();
        prop_assert_eq!(address.to_string().parse::<HostPort>().unwrap(), address);
    }

    #[test]
    fn an_ip_address_that_is_printed_reads_as_itself(ip: IpAddr, port in 1u16..) {
        let address = HostPort::new(&ip.to_string(), port).unwrap();
        prop_assert_eq!(address.to_string().parse::<HostPort>().unwrap().ip(), Some(ip));
    }

    #[test]
    fn no_text_breaks_the_readers(text in ".{0,80}") {
        let _ = text.parse::<HostPort>();
        let _ = text.parse::<AllowRule>();
    }

    #[test]
    fn a_network_allows_what_shares_its_leading_bits(base: u32, other: u32, prefix in 1u8..=32) {
        let rule = format!("{}/{prefix}", IpAddr::from(base.to_be_bytes()));
        let member = IpAddr::from(other.to_be_bytes()).to_string();
        let same = base >> (32 - prefix) == other >> (32 - prefix);
        prop_assert_eq!(allowed(&rule, &member), same);
    }
}
