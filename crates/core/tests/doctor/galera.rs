//! Galera's options and votes.

use capitana_core::doctor::galera::{Options, votes};

use crate::codes;

/// Galera's defaults, with `changes` behind them.
fn found(changes: &str) -> Vec<&'static str> {
    let defaults = "evs.suspect_timeout = PT5S; evs.inactive_timeout = PT15S; evs.install_timeout = PT7.5S; \
                    evs.keepalive_period = PT1S; evs.inactive_check_period = PT0.5S; pc.recovery = true; \
                    pc.ignore_quorum = false; pc.ignore_sb = false; gcache.size = 128M";
    codes(&Options::parse(&format!("{defaults}; {changes}")).examine("MariaDB"))
}

#[test]
fn options_that_are_unsafe_are_found_and_those_just_beside_are_not() {
    let none: [&str; 0] = [];
    assert_eq!(found(""), none);
    for (changes, code) in [
        ("evs.install_timeout = PT5S", "GALERA-EVS-INSTALL"),
        ("evs.inactive_timeout = PT5S", "GALERA-EVS-INACTIVE"),
        ("evs.keepalive_period = PT2S", "GALERA-EVS-KEEPALIVE"),
        ("evs.inactive_check_period = PT3S", "GALERA-EVS-CHECK"),
        ("pc.ignore_quorum = true", "GALERA-IGNORE-QUORUM"),
        ("pc.ignore_sb = yes", "GALERA-IGNORE-QUORUM"),
        ("pc.recovery = 0", "GALERA-PC-RECOVERY"),
        ("gcache.size = 16M", "GALERA-GCACHE"),
    ] {
        assert_eq!(found(changes), [code], "{changes}");
    }
    for changes in [
        "evs.install_timeout = PT5.1S",
        "evs.inactive_timeout = PT5.1S",
        "evs.keepalive_period = PT1.6S",
        "evs.inactive_check_period = PT2.5S",
        "gcache.size = 1G",
    ] {
        assert_eq!(found(changes), none, "{changes}");
    }
}

#[test]
fn the_settings_of_the_reported_cluster_that_went_down_as_a_whole_are_found() {
    assert_eq!(
        found("evs.suspect_timeout = PT1M; evs.inactive_timeout = PT1M"),
        ["GALERA-EVS-INACTIVE", "GALERA-EVS-INSTALL"]
    );
}

#[test]
fn an_even_number_of_votes_and_a_node_alone_are_found() {
    let votes = |size, weight| votes("MariaDB", size, weight).map(|finding| finding.kind.code);
    assert_eq!(votes(3, 3), None);
    assert_eq!(votes(2, 3), None);
    assert_eq!(votes(2, 2), Some("GALERA-EVEN"));
    assert_eq!(votes(4, 4), Some("GALERA-EVEN"));
    assert_eq!(votes(1, 1), Some("GALERA-ALONE"));
    assert_eq!(votes(3, 0), None, "a version that does not say");
}
