//! An agent that is stopped, or told to step down, leaves nothing behind.

use capitana::agent::SteppedDown;
use capitana_core::Link;
use tokio::time::timeout;

use super::fake::{FakeZooKeeper, Fault};
use super::rig::{DEADLINE, Rig};

fn by_an_operator() -> SteppedDown {
    SteppedDown { since: "2026-11-22T01:00:00.000Z".to_owned(), by: "curl from ::1".to_owned() }
}

#[tokio::test]
async fn an_agent_that_is_stopped_leaves_neither_znode_nor_session() {
    let mut rig = Rig::start(FakeZooKeeper::default(), true);
    rig.registered().await;
    let zookeeper = rig.stopped().await;
    assert!(zookeeper.znodes().is_empty());
    assert_eq!(zookeeper.open_sessions(), 0);
}

#[tokio::test]
async fn an_agent_that_is_stopped_while_its_znode_is_being_created_leaves_none() {
    let zookeeper = FakeZooKeeper::default();
    zookeeper.order(Fault::LoseReply);
    let mut rig = Rig::start(zookeeper, true);
    rig.wait_for(|status| status.zookeeper == Link::Up).await;
    let zookeeper = rig.stopped().await;
    assert!(zookeeper.znodes().is_empty());
}

#[tokio::test]
async fn an_agent_that_is_stepped_down_is_withdrawn_and_stays_out_until_it_is_told_to_rejoin() {
    let mut rig = Rig::start(FakeZooKeeper::default(), true);
    let first = rig.registered().await;
    rig.word.send_replace(Some(by_an_operator()));
    rig.wait_for(|status| status.withdrawn).await;
    assert!(rig.zookeeper.znodes().is_empty());
    // What would register it otherwise does not.
    rig.set_fit(false);
    rig.set_fit(true);
    let asked = rig.zookeeper.requests();
    rig.zookeeper.delete_all();
    timeout(DEADLINE, async {
        while rig.zookeeper.requests() == asked {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    rig.wait_for(|status| status.withdrawn).await;
    assert!(rig.zookeeper.znodes().is_empty());
    rig.word.send_replace(None);
    assert!(rig.registered().await > first);
}

#[tokio::test]
async fn a_step_down_while_the_znode_is_being_created_leaves_none() {
    let zookeeper = FakeZooKeeper::default();
    zookeeper.order(Fault::LoseReply);
    let mut rig = Rig::start(zookeeper, true);
    rig.wait_for(|status| status.zookeeper == Link::Up).await;
    rig.word.send_replace(Some(by_an_operator()));
    rig.wait_for(|status| status.withdrawn).await;
    assert!(rig.zookeeper.znodes().is_empty());
}
