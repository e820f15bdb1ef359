//! The scenario `sysbench`, as a test: for ten seconds instead of a minute.

use std::time::Duration;

use capitana_lab::{Progress, scenario};

#[tokio::test]
async fn an_ordinary_load_runs_through_the_proxy_without_an_error() {
    let report = scenario::sysbench::run(Progress::stderr(), Duration::from_secs(10)).await.unwrap();
    assert!(report.passed(), "{:#?}", report.failures());
    assert!(report.figures()["transactions"] > 0.0);
}
