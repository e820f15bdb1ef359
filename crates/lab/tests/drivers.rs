//! The scenario `drivers`, as a test.

use capitana_lab::{Progress, scenario};

#[tokio::test]
async fn drivers_see_through_the_proxy_what_they_see_direct() {
    let scenario = scenario::find("drivers").unwrap();
    let report = (scenario.run)(Progress::stderr()).await.unwrap();
    assert!(report.passed(), "{:#?}", report.failures());
    assert_eq!(report.figures()["lines_different"], 0.0);
}
