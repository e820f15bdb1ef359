//! Beside another znode of the same server an agent creates none.

use capitana::control::Coordinator;
use capitana::registrar::Connect;

use super::fake::{FakeZooKeeper, PATH};
use super::rig::Rig;

#[tokio::test]
async fn an_agent_waits_until_another_znode_of_its_server_is_gone() {
    let zookeeper = FakeZooKeeper::default();
    let another = zookeeper.connect(None).await.unwrap();
    another.ensure_path(PATH).await.unwrap();
    let (ghost, _) = another.create_sequential(&format!("{PATH}/node-"), b"db1.internal:3306").await.unwrap();
    let mut rig = Rig::start(zookeeper, true);
    let told = rig.wait_for(|status| status.rival.is_some()).await;
    assert!(told.rival.unwrap().contains("db1.internal:3306"));
    assert_eq!(rig.zookeeper.znodes().len(), 1);
    another.delete(&ghost).await.unwrap();
    rig.registered().await;
    assert_eq!(rig.zookeeper.most_znodes(), 1);
    assert_eq!(rig.status.borrow().rival, None);
}

#[tokio::test]
async fn of_two_agents_with_one_identity_the_later_stays_and_neither_fights() {
    let zookeeper = FakeZooKeeper::default();
    let mut first = Rig::incarnation(zookeeper.clone(), 1);
    first.registered().await;
    let mut second = Rig::incarnation(zookeeper, 2);
    second.registered().await;
    first
        .wait_for(|status| status.rival.as_ref().is_some_and(|rival| rival.contains("state-directory")))
        .await;
    assert_eq!(second.zookeeper.znodes().len(), 1);
    assert!(second.status.borrow().registered.is_some() && first.status.borrow().registered.is_none());
    drop(second.stopped().await);
    first.registered().await;
}
