//! Which servers are taken for Galera nodes, and what is asked of those that are none.

use std::time::Duration;

use capitana_core::health::{Galera, Health, Reading, Rules, Unfit};

fn reading(rows: &[(&str, &str)]) -> Reading {
    Reading::parse(rows.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())))
}

fn health(galera: Galera) -> Health {
    Health::new(Rules { galera, ..Rules::DEFAULT }, Duration::ZERO)
}

/// What MariaDB 10.11 says without a provider.
fn plain() -> Reading {
    reading(&[
        ("wsrep_ready", "OFF"),
        ("wsrep_cluster_status", "Disconnected"),
        ("wsrep_on", "OFF"),
        ("wsrep_provider", "none"),
        ("wsrep_desync", "OFF"),
        ("wsrep_reject_queries", "NONE"),
        ("read_only", "OFF"),
    ])
}

fn galera() -> Reading {
    reading(&[
        ("wsrep_ready", "ON"),
        ("wsrep_cluster_status", "Primary"),
        ("wsrep_local_state", "4"),
        ("wsrep_on", "ON"),
        ("wsrep_provider", "/usr/lib/galera/libgalera_smm.so"),
        ("wsrep_desync", "OFF"),
        ("wsrep_reject_queries", "NONE"),
        ("read_only", "OFF"),
    ])
}

#[test]
fn a_node_that_was_galeras_under_an_earlier_agent_is_no_ordinary_server_without_its_provider() {
    let mut health = health(Galera::Auto);
    health.recall_galera();
    assert!(health.objection(&plain()).is_some());
    assert_eq!(health.objection(&galera()), None);
}

#[test]
fn a_server_without_a_provider_or_without_the_variable_is_an_ordinary_one() {
    assert_eq!(health(Galera::Auto).objection(&plain()), None);
    let mysql = reading(&[("read_only", "OFF"), ("super_read_only", "OFF"), ("innodb_read_only", "OFF")]);
    assert_eq!(health(Galera::Auto).objection(&mysql), None);
}

#[test]
fn a_galera_node_that_does_not_replicate_is_not_taken_for_an_ordinary_server() {
    let off = Reading { wsrep_on: Some("OFF".into()), ..galera() };
    assert_eq!(health(Galera::Auto).objection(&off), Some(Unfit::NotReplicating("OFF".into())));
}

#[test]
fn a_galera_node_that_is_started_without_its_provider_stays_one() {
    let mut health = health(Galera::Auto);
    let asked = Duration::from_secs(1);
    health.on(capitana_core::health::Event::Polled { reading: galera(), asked }, asked);
    assert!(matches!(health.objection(&plain()), Some(Unfit::NotReplicating(_))));
}

#[test]
fn a_setting_decides_before_what_the_server_says() {
    assert!(matches!(health(Galera::On).objection(&plain()), Some(Unfit::NotReplicating(_))));
    let lost = Reading { wsrep_cluster_status: Some("non-Primary".into()), ..galera() };
    assert_eq!(health(Galera::Off).objection(&lost), None);
    assert!(health(Galera::Auto).objection(&lost).is_some());
}

#[test]
fn only_off_lets_everybody_write_however_a_server_spells_the_rest() {
    for value in ["ON", "NO_LOCK", "NO_LOCK_NO_ADMIN", "1"] {
        let standby = Reading { read_only: Some(value.into()), ..plain() };
        assert_eq!(health(Galera::Auto).objection(&standby), Some(Unfit::ReadOnly), "{value}");
        let node = Reading { read_only: Some(value.into()), ..galera() };
        assert_eq!(health(Galera::Auto).objection(&node), Some(Unfit::ReadOnly), "{value}");
    }
    for name in ["super_read_only", "innodb_read_only"] {
        let mysql = reading(&[("read_only", "OFF"), (name, "ON")]);
        assert_eq!(health(Galera::Auto).objection(&mysql), Some(Unfit::ReadOnly), "{name}");
    }
}

#[test]
fn a_server_that_says_nothing_of_itself_is_not_fit() {
    for mode in [Galera::Auto, Galera::On, Galera::Off] {
        assert!(health(mode).objection(&Reading::default()).is_some(), "{mode:?}");
    }
}

#[test]
fn a_donor_that_turns_queries_away_does_not_pass_even_where_donors_may_lead() {
    let donor = Reading { wsrep_local_state: Some("2".into()), wsrep_desync: Some("ON".into()), ..galera() };
    assert_eq!(donor.objection(true), None);
    let rejects = Reading { wsrep_sst_donor_rejects_queries: Some("ON".into()), ..donor };
    assert!(matches!(rejects.objection(true), Some(Unfit::RejectsQueries(_))));
    let synced = Reading { wsrep_sst_donor_rejects_queries: Some("ON".into()), ..galera() };
    assert_eq!(synced.objection(true), None);
}
