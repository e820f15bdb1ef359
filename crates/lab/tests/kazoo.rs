//! The scenario `kazoo`, as a test.

use capitana_lab::{Progress, scenario};

#[tokio::test]
async fn kazoo_clients_and_capitana_follow_each_others_elections() {
    let scenario = scenario::find("kazoo").unwrap();
    let report = (scenario.run)(Progress::stderr()).await.unwrap();
    assert!(report.passed(), "{:#?}", report.failures());
}
