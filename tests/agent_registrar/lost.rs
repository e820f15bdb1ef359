//! Replies, requests, sessions, znodes and the link are lost: there is one znode in the end, and never two.

use capitana::control::LinkState;
use capitana_core::Link;

use super::fake::{FakeZooKeeper, Fault};
use super::rig::Rig;

#[tokio::test]
async fn a_create_whose_reply_is_lost_is_found_again() {
    let zookeeper = FakeZooKeeper::default();
    zookeeper.order(Fault::LoseReply);
    let mut rig = Rig::start(zookeeper, true);
    rig.registered().await;
    assert_eq!(rig.zookeeper.znodes().len(), 1);
    assert_eq!(rig.zookeeper.most_znodes(), 1);
}

#[tokio::test]
async fn a_create_that_is_lost_is_made_again() {
    let zookeeper = FakeZooKeeper::default();
    zookeeper.order(Fault::LoseRequest);
    let mut rig = Rig::start(zookeeper, true);
    rig.registered().await;
    assert_eq!(rig.zookeeper.znodes().len(), 1);
}

#[tokio::test]
async fn a_znode_of_a_session_that_is_over_is_replaced_and_never_doubled() {
    let mut rig = Rig::start(FakeZooKeeper::default(), true);
    let first = rig.registered().await;
    rig.zookeeper.set_link(LinkState::Over);
    rig.wait_for(|status| status.registered.as_ref().is_some_and(|r| r.epoch.0 > first)).await;
    let znodes = rig.zookeeper.znodes();
    assert_eq!(znodes.len(), 1);
    assert_eq!(znodes[0].2.ephemeral_owner, 2);
    assert_eq!(rig.zookeeper.most_znodes(), 1);
}

#[tokio::test]
async fn a_session_that_the_ensemble_still_holds_is_resumed_with_its_znode_and_epoch() {
    let mut rig = Rig::start(FakeZooKeeper::default(), true);
    let first = rig.registered().await;
    let before = rig.zookeeper.znodes();
    rig.zookeeper.keep_sessions();
    rig.zookeeper.set_link(LinkState::Over);
    rig.withdrawn().await;
    assert_eq!(rig.registered().await, first);
    let after = rig.zookeeper.znodes();
    assert_eq!((&after[0].0, after[0].2), (&before[0].0, before[0].2));
    assert_eq!(after.len(), 1);
}

#[tokio::test]
async fn a_znode_deleted_by_somebody_else_is_created_again() {
    let mut rig = Rig::start(FakeZooKeeper::default(), true);
    let first = rig.registered().await;
    rig.zookeeper.delete_all();
    rig.wait_for(|status| status.registered.as_ref().is_some_and(|r| r.epoch.0 > first)).await;
    assert_eq!(rig.zookeeper.znodes().len(), 1);
}

#[tokio::test]
async fn nothing_is_asked_while_the_link_is_down() {
    let mut rig = Rig::start(FakeZooKeeper::default(), true);
    rig.registered().await;
    rig.zookeeper.set_link(LinkState::Disconnected);
    rig.wait_for(|status| matches!(status.zookeeper, Link::Down(_))).await;
    let asked = rig.zookeeper.requests();
    rig.set_fit(false);
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.zookeeper.requests(), asked);
    rig.zookeeper.set_link(LinkState::Connected);
    rig.withdrawn().await;
    assert!(rig.zookeeper.znodes().is_empty());
}
