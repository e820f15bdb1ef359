//! The fast forms of the scenarios about an agent's znode, and who may touch it.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use capitana_lab::{Progress, Report, scenario};

async fn run(name: &str) -> Report {
    let scenario = scenario::find(name).unwrap();
    (scenario.run)(Progress::stderr()).await.unwrap()
}

#[tokio::test]
async fn the_order_of_candidates_outlives_the_end_of_the_sequence_numbers() {
    let report = run("sequence-wrap").await;
    assert!(report.passed(), "{:#?}", report.failures());
}

#[tokio::test]
async fn a_lost_reply_to_a_create_never_leaves_two_znodes_of_a_node() {
    let report = scenario::lost_create_reply::run(Progress::stderr(), 50).await.unwrap();
    assert!(report.passed(), "{:#?}", report.failures());
}

#[tokio::test]
async fn a_killed_agent_that_is_restarted_in_time_keeps_its_place() {
    let report = scenario::agent_restart::run(Progress::stderr(), 2).await.unwrap();
    assert!(report.passed(), "{:#?}", report.failures());
}

#[tokio::test]
async fn the_election_works_over_tls_and_strangers_get_nowhere() {
    let report = run("zk-secure").await;
    assert!(report.passed(), "{:#?}", report.failures());
}
