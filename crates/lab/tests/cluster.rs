//! What the lab itself promises of a real cluster: it comes up, and its members can be killed, frozen and brought back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

use std::time::Duration;

use capitana_lab::{Lab, Node, Progress, wait_until};
use mysql_async::prelude::Queryable;

async fn count(node: &Node) -> u64 {
    let mut conn = node.root().await.unwrap();
    conn.query_drop("SET SESSION wsrep_sync_wait = 1").await.unwrap();
    conn.query_first("SELECT COUNT(*) FROM app.seen").await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_comes_up_and_its_members_come_back_after_a_crash_and_after_a_stop() {
    let progress = Progress::stderr();
    let lab = Lab::builder().galera(3).zookeeper(1).start(&progress).await.unwrap();
    let [one, two, three] = lab.nodes() else { panic!("not three nodes") };
    one.execute("CREATE TABLE app.seen (id INT AUTO_INCREMENT PRIMARY KEY)").await.unwrap();

    one.kill().await.unwrap();
    progress.say("node1 is killed");
    two.wait_ready(2).await.unwrap();
    two.execute("INSERT INTO app.seen VALUES (NULL)").await.unwrap();
    one.start().await.unwrap();
    one.wait_ready(3).await.unwrap();
    progress.say("node1 is back");
    assert_eq!(count(one).await, 1);

    three.stop().await.unwrap();
    two.execute("INSERT INTO app.seen VALUES (NULL)").await.unwrap();
    three.start().await.unwrap();
    three.wait_ready(3).await.unwrap();
    progress.say("node3 is back");
    assert_eq!(count(three).await, 2);

    two.freeze().await.unwrap();
    one.wait_ready(2).await.unwrap();
    two.thaw().unwrap();
    // What node2 says at first is from before its freeze; node1 has seen the cluster without it.
    one.wait_ready(3).await.unwrap();
    two.wait_ready(3).await.unwrap();
    progress.say("node2 was frozen and is back");
    assert_eq!(count(two).await, 2);
    lab.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_cluster_comes_back_after_a_power_cut_and_after_an_orderly_stop() {
    let progress = Progress::stderr();
    let lab = Lab::builder().galera(2).start(&progress).await.unwrap();
    let [one, two] = lab.nodes() else { panic!("not two nodes") };
    one.execute("CREATE TABLE app.seen (id INT AUTO_INCREMENT PRIMARY KEY)").await.unwrap();
    one.execute("INSERT INTO app.seen VALUES (NULL)").await.unwrap();
    two.wait_ready(2).await.unwrap();

    one.kill().await.unwrap();
    two.kill().await.unwrap();
    tokio::try_join!(one.start(), two.start()).unwrap();
    tokio::try_join!(one.wait_ready(2), two.wait_ready(2)).unwrap();
    progress.say("both are back after a power cut");
    assert_eq!(count(two).await, 1);

    one.stop().await.unwrap();
    two.stop().await.unwrap();
    two.start().await.unwrap();
    two.wait_ready(1).await.unwrap();
    one.start().await.unwrap();
    one.wait_ready(2).await.unwrap();
    assert_eq!(count(one).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_alone_comes_back_after_a_crash() {
    let lab = Lab::builder().galera(1).start(&Progress::stderr()).await.unwrap();
    let node = &lab.nodes()[0];
    node.execute("CREATE TABLE app.seen (id INT AUTO_INCREMENT PRIMARY KEY)").await.unwrap();
    node.execute("INSERT INTO app.seen VALUES (NULL)").await.unwrap();
    node.kill().await.unwrap();
    node.start().await.unwrap();
    node.wait_ready(1).await.unwrap();
    assert_eq!(count(node).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ensemble_of_three_goes_on_without_its_leader() {
    let lab = Lab::builder().zookeeper(3).start(&Progress::stderr()).await.unwrap();
    let modes = async || {
        let mut modes = Vec::new();
        for server in lab.zookeepers() {
            modes.push(server.mode().await.unwrap_or_default());
        }
        modes
    };
    let leader = modes().await.iter().position(|mode| mode == "leader").unwrap();
    lab.zookeepers()[leader].kill().await.unwrap();
    let deadline = Duration::from_secs(30);
    wait_until(deadline, "another leads", async || {
        modes().await.contains(&"leader".to_owned()).then_some(())
    })
    .await
    .unwrap();
    lab.zookeepers()[leader].start().await.unwrap();
    lab.zookeepers()[leader].wait_ready().await.unwrap();
    assert_eq!(modes().await[leader], "follower");
}
