//! The settings for all daemons in ZooKeeper: who may change them, and that they are judged.

use capitana_lab::{Lab, Progress};
use tempfile::TempDir;
use zookeeper_client::{Acls, Client, CreateMode};

use super::{SETTINGS, agent, doctor, stand};

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_all_daemons_that_everybody_can_make_or_write_are_found() {
    let lab = Lab::builder().zookeeper(1).start(&Progress::stderr()).await.unwrap();
    let zookeeper = lab.zookeeper();
    let open = || doctor(&["--zookeeper", &zookeeper]).found("ZK-ACL-CONFIG-OPEN");
    let way = "where /capitana/config/agent is still to be made";
    assert!(open().is_some_and(|found| found.contains(" at /, ") && found.contains(way)), "{:?}", open());
    let unread = doctor(&["--zookeeper", &zookeeper, "--config-path", "off"]);
    assert_eq!(unread.found("ZK-ACL-CONFIG-OPEN"), None);

    let client = Client::connect(&zookeeper).await.unwrap();
    stand(&client, "db1.internal:3306").await;
    assert_eq!(open(), None);
    let anyone = CreateMode::Persistent.with_acls(Acls::anyone_all());
    client.create(&format!("{SETTINGS}/proxy"), b"", &anyone).await.unwrap();
    assert_eq!(open().as_deref(), Some("anyone may write, change the ACL at /capitana/config/proxy"));
    lab.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_judged_with_those_in_zookeeper_as_the_daemon_has_them() {
    let lab = Lab::builder().zookeeper(1).start(&Progress::stderr()).await.unwrap();
    let client = Client::connect(&lab.zookeeper()).await.unwrap();
    stand(&client, "db1.internal:3306").await;
    let directory = TempDir::new().unwrap();
    let config = agent(directory.path(), &lab.zookeeper(), "127.0.0.1:1", "canary = true\n");
    let doctor = |more: &[&str]| doctor(&[&["--config", &config], more].concat());
    let file = doctor(&[]);
    assert_eq!((file.found("CONFIG-LIVE"), file.found("CANARY-OFF")), (None, None), "{:#}", file.json);

    let znode = format!("{SETTINGS}/agent");
    let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
    client.create(&znode, b"canary = false\nfall = 3\n", &options).await.unwrap();
    let both = doctor(&[]);
    let said = "ZooKeeper /capitana/config/agent version 0 sets canary, fall";
    assert_eq!(both.found("CONFIG-LIVE").as_deref(), Some(said), "{:#}", both.json);
    assert_eq!(both.found("CANARY-OFF").as_deref(), Some("canary is off"), "{:#}", both.json);
    assert_eq!(doctor(&["--canary=true"]).found("CANARY-OFF"), None, "a flag beats it");

    client.set_data(&znode, b"canary = false\nserver = \"db2\"\n", None).await.unwrap();
    let refused = doctor(&[]);
    let why = refused.found("CONFIG-LIVE-UNUSED").unwrap();
    assert!(why.contains("/capitana/config/agent version 1:2: server:"), "{why}");
    assert_eq!(refused.found("CANARY-OFF"), None, "no part of it is used: {:#}", refused.json);
    lab.shutdown().await.unwrap();
}
