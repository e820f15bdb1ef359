//! MariaDB's variables, versions and clock.

use capitana_core::doctor::bugs;
use capitana_core::doctor::server::{STATUS, Server, VARIABLES};

use crate::codes;

const SAFE: [(&str, &str); 23] = [
    ("innodb_flush_log_at_trx_commit", "1"),
    ("sync_binlog", "0"),
    ("log_bin", "OFF"),
    ("innodb_doublewrite", "ON"),
    ("wsrep_on", "ON"),
    ("wsrep_provider", "/usr/lib/galera/libgalera_smm.so"),
    ("wsrep_provider_options", ""),
    ("binlog_format", "ROW"),
    ("innodb_autoinc_lock_mode", "2"),
    ("wsrep_certify_nonpk", "ON"),
    ("wsrep_sst_method", "mariabackup"),
    ("wsrep_sst_donor", "db2,"),
    ("wsrep_slave_threads", "8"),
    ("wsrep_desync", "OFF"),
    ("wsrep_sync_wait", "0"),
    ("max_connect_errors", "100"),
    ("skip_name_resolve", "ON"),
    ("max_connections", "500"),
    ("extra_port", "3307"),
    ("proxy_protocol_networks", ""),
    ("version", "10.11.19-MariaDB"),
    ("wsrep_cluster_size", "3"),
    ("wsrep_cluster_weight", "3"),
];

fn server(changes: &[(&str, &str)]) -> Server {
    let values = SAFE.iter().chain(changes).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Server { subject: "MariaDB".to_owned(), values: values.collect(), ahead: Some(0.1), sessions: Some(400) }
}

fn found(changes: &[(&str, &str)]) -> Vec<&'static str> {
    codes(&server(changes).examine())
}

#[test]
fn nothing_is_found_on_a_safe_server() {
    assert_eq!(found(&[]), Vec::<&str>::new());
}

#[test]
fn everything_that_is_looked_at_is_asked_for() {
    let mut asked: Vec<_> = VARIABLES.iter().chain(STATUS).copied().collect();
    let mut known: Vec<_> = SAFE.iter().map(|(name, _)| *name).collect();
    asked.sort_unstable();
    known.sort_unstable();
    assert_eq!(asked, known);
}

#[test]
fn each_unsafe_variable_gives_its_finding() {
    for (name, value, code) in [
        ("innodb_flush_log_at_trx_commit", "2", "DB-FLUSH-LOG"),
        ("innodb_flush_log_at_trx_commit", "0", "DB-FLUSH-LOG"),
        ("innodb_doublewrite", "OFF", "DB-DOUBLEWRITE"),
        ("log_bin", "ON", "DB-SYNC-BINLOG"),
        ("wsrep_on", "OFF", "DB-WSREP-OFF"),
        ("binlog_format", "MIXED", "DB-BINLOG-FORMAT"),
        ("innodb_autoinc_lock_mode", "1", "DB-AUTOINC"),
        ("wsrep_certify_nonpk", "OFF", "DB-CERTIFY-NONPK"),
        ("wsrep_sst_method", "rsync", "DB-SST-BLOCKING"),
        ("wsrep_sst_donor", "", "DB-SST-DONOR"),
        ("wsrep_slave_threads", "1", "DB-APPLIERS"),
        ("wsrep_desync", "ON", "DB-DESYNC"),
        ("wsrep_sync_wait", "1", "DB-SYNC-WAIT"),
        ("extra_port", "0", "DB-EXTRA-PORT"),
        ("max_connections", "400", "DB-MAX-CONNECTIONS"),
        ("proxy_protocol_networks", "*", "DB-PROXY-NETWORKS"),
        ("proxy_protocol_networks", "localhost,0.0.0.0/0", "DB-PROXY-NETWORKS"),
        ("proxy_protocol_networks", "10.0.0.0/24", "DB-PROXY-HEADER-TWICE"),
        ("wsrep_cluster_weight", "2", "GALERA-EVEN"),
        ("wsrep_provider_options", "gcache.size = 1M", "GALERA-GCACHE"),
    ] {
        assert_eq!(found(&[(name, value)]), [code], "{name}={value}");
    }
}

#[test]
fn broken_handshakes_count_only_where_names_are_resolved() {
    assert_eq!(found(&[("skip_name_resolve", "OFF")]), ["DB-CONNECT-ERRORS", "DB-NAME-RESOLVE"]);
    let many = ("max_connect_errors", "1000000");
    assert_eq!(found(&[("skip_name_resolve", "OFF"), many]), ["DB-NAME-RESOLVE"]);
}

#[test]
fn a_server_without_galera_is_not_measured_by_its_settings() {
    let plain = [
        ("wsrep_provider", "none"),
        ("wsrep_on", "OFF"),
        ("binlog_format", "MIXED"),
        ("wsrep_cluster_size", "0"),
    ];
    assert_eq!(found(&plain), Vec::<&str>::new());
}

#[test]
fn a_variable_that_the_server_does_not_have_gives_no_finding() {
    assert_eq!(Server::default().examine(), []);
}

#[test]
fn clocks_that_are_more_than_a_second_apart_are_found() {
    for (ahead, expected) in
        [(0.9, vec![]), (-0.9, vec![]), (1.1, vec!["DB-CLOCK"]), (-90.0, vec!["DB-CLOCK"])]
    {
        assert_eq!(codes(&Server { ahead: Some(ahead), ..server(&[]) }.examine()), expected, "{ahead}");
    }
}

#[test]
fn a_version_with_a_reported_fault_is_found_and_its_neighbours_are_not() {
    for (version, faults) in [
        ("11.4.3-MariaDB", 0),
        ("11.4.4-MariaDB", 1),
        ("5.5.5-11.4.9-MariaDB-log", 1),
        ("11.4.10-MariaDB", 1),
        ("11.4.11-MariaDB", 0),
        ("12.1.1-MariaDB", 0),
        ("12.2.2-MariaDB", 1),
        ("12.2.3-MariaDB", 0),
        ("10.11.19-MariaDB-0+deb12u1", 0),
        ("11.4.4", 0),
        ("nonsense", 0),
    ] {
        assert_eq!(bugs::examine("MariaDB", version).len(), faults, "{version}");
    }
}

#[test]
fn every_reported_fault_has_a_source_and_a_range() {
    for bug in bugs::BUGS {
        assert!(bug.source.starts_with("https://") && bug.first <= bug.last, "{bug:?}");
    }
}
