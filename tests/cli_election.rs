//! `capitana primary` and `capitana status` on a real ZooKeeper and a real proxy.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic, in its helpers too")]

#[path = "support/command.rs"]
mod command;

use std::time::Duration;

use capitana::control::{Coordinator, ZooKeeper, ZooKeeperConnector};
use capitana::exit;
use capitana_lab::{Lab, Progress, wait_until};
use command::{capitana, run};
use serde_json::Value;

const PATH: &str = "/mariadb/primary";
const DEADLINE: Duration = Duration::from_secs(20);

/// A session that can hold members of the lab's election.
async fn session(lab: &Lab) -> ZooKeeper {
    let connector = ZooKeeperConnector::new(lab.zookeeper(), Duration::from_secs(4));
    let session = connector.connect().await.unwrap();
    session.ensure_path(PATH).await.unwrap();
    session
}

/// Registers a member, and answers its path and epoch.
async fn register(session: &ZooKeeper, data: &str) -> (String, i64) {
    let (path, stat) = session.create_sequential(&format!("{PATH}/node-"), data.as_bytes()).await.unwrap();
    (path, stat.czxid)
}

#[tokio::test(flavor = "multi_thread")]
async fn primary_prints_the_oldest_member_and_then_the_next() {
    let lab = Lab::builder().zookeeper(1).start(&Progress::stderr()).await.unwrap();
    let zookeeper = lab.zookeeper();
    let primary = || run(&mut capitana(&["primary", "--zookeeper", &zookeeper]));
    primary().failed(exit::TRY_AGAIN, "no primary: /mariadb/primary has no acceptable member");

    let session = session(&lab).await;
    primary().failed(exit::TRY_AGAIN, "no primary");
    register(&session, "neither a host nor JSON").await;
    let (first, _) = register(&session, "db1.internal").await;
    register(&session, r#"{"host": "10.0.0.2", "port": 3307, "of": "a later version"}"#).await;
    assert_eq!(primary().out, "db1.internal:3306\n");
    let mut allowed = capitana(&["primary", "--zookeeper", &zookeeper]);
    assert_eq!(run(allowed.env("CAPITANA_ALLOW_UPSTREAMS", "10.0.0.0/8")).out, "10.0.0.2:3307\n");

    session.delete(&first).await.unwrap();
    assert_eq!(primary().out, "10.0.0.2:3307\n");
    lab.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn status_shows_the_members_and_that_a_proxy_follows_the_first() {
    let lab = Lab::builder().zookeeper(1).proxies(1).start(&Progress::stderr()).await.unwrap();
    let session = session(&lab).await;
    let (_, epoch) = register(&session, "db1.internal").await;
    register(&session, "10.0.0.2:3307").await;
    register(&session, "not a host").await;
    let (zookeeper, admin) = (lab.zookeeper(), lab.proxies()[0].admin().to_string());
    let ask = |more: &[&str]| {
        let arguments = ["status", "--zookeeper", &zookeeper, "--proxy", &admin];
        run(&mut capitana(&[&arguments, more].concat()))
    };

    let follows = async || {
        let status: Value = serde_json::from_str(&ask(&["--json"]).out).unwrap();
        (status["proxies"][0]["status"]["route"]["epoch"] == epoch).then_some(status)
    };
    let status = wait_until(DEADLINE, "the proxy follows the first member", follows).await.unwrap().0;
    let election = &status["election"];
    assert_eq!(election["primary"]["upstream"], "db1.internal:3306");
    assert_eq!(election["epoch"], epoch);
    assert_eq!(election["members"].as_array().unwrap().len(), 2);
    assert_eq!(election["skipped"][0]["reason"], "unparsable");

    let table = ask(&[]).out;
    let row = |begin: &str| table.lines().find(|line| line.starts_with(begin)).unwrap().to_owned();
    assert!(row("* ").contains("db1.internal:3306"), "{table}");
    assert!(row("skipped").ends_with(": unparsable"), "{table}");
    assert!(row(&admin).contains("yes    db1.internal:3306"), "{table}");
    lab.shutdown().await.unwrap();
}
