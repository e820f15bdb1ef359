//! The fast ones of the scenarios about trouble with ZooKeeper, as tests.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::time::Duration;

use capitana_lab::{Progress, Report, scenario};

async fn run(name: &str) -> Report {
    let scenario = scenario::find(name).unwrap();
    (scenario.run)(Progress::stderr()).await.unwrap()
}

#[tokio::test]
async fn clients_notice_nothing_while_all_zookeeper_servers_are_down() {
    let report = scenario::zk_outage::run(Progress::stderr(), Duration::from_secs(15)).await.unwrap();
    assert!(report.passed(), "{:#?}", report.failures());
}

#[tokio::test]
async fn clients_notice_nothing_when_the_leader_of_zookeeper_dies() {
    let report = run("zk-member-loss").await;
    assert!(report.passed(), "{:#?}", report.failures());
}

#[tokio::test]
async fn a_proxy_whose_zookeeper_server_is_cut_off_is_not_ready_and_never_goes_back() {
    let report = run("stale-follower").await;
    assert!(report.passed(), "{:#?}", report.failures());
}

#[tokio::test]
async fn every_driver_is_told_in_its_terms_that_there_is_no_primary() {
    let report = run("no-primary").await;
    assert!(report.passed(), "{:#?}", report.failures());
}
