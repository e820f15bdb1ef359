//! A server that is fit is registered, one that is not is withdrawn, and who is first leads.

use std::time::Duration;

use capitana::control::Coordinator;
use capitana::control::coordinator::read_election;
use capitana::registrar::Connect;
use capitana_core::{Link, MemberData};
use tokio::time::{Instant, timeout};

use super::fake::{FakeZooKeeper, PATH};
use super::rig::{DEADLINE, GUID, Rig};

#[tokio::test]
async fn a_fit_server_is_registered_with_what_proxies_need() {
    let mut rig = Rig::start(FakeZooKeeper::default(), true);
    let epoch = rig.registered().await;
    let znodes = rig.zookeeper.znodes();
    assert_eq!(znodes.len(), 1);
    let (name, data, stat) = &znodes[0];
    assert!(name.starts_with("node-"));
    assert_eq!(stat.czxid, epoch);
    let data: MemberData = serde_json::from_slice(data).unwrap();
    assert_eq!((data.host.as_str(), data.port), ("db1.internal", 3306));
    assert_eq!(data.guid.as_deref(), Some(GUID));
    assert_eq!(data.since_ms, Some(1234));
}

#[tokio::test]
async fn a_server_that_becomes_unfit_is_withdrawn_and_comes_back_with_a_later_epoch() {
    let mut rig = Rig::start(FakeZooKeeper::default(), true);
    let first = rig.registered().await;
    rig.set_fit(false);
    rig.withdrawn().await;
    assert!(rig.zookeeper.znodes().is_empty());
    rig.set_fit(true);
    assert!(rig.registered().await > first);
}

#[tokio::test]
async fn an_unfit_server_is_not_registered() {
    let mut rig = Rig::start(FakeZooKeeper::default(), false);
    rig.wait_for(|status| status.zookeeper == Link::Up).await;
    let zookeeper = rig.stopped().await;
    assert_eq!(zookeeper.most_znodes(), 0);
}

#[tokio::test]
async fn all_members_of_an_election_are_asked_for_at_once() {
    let zookeeper = FakeZooKeeper::default();
    let session = zookeeper.connect(None).await.unwrap();
    session.ensure_path(PATH).await.unwrap();
    for number in 0..3 {
        session.create_sequential(&format!("{PATH}/node-"), &[number]).await.unwrap();
    }
    zookeeper.answer_reads_together(3);
    let (view, _watch) = timeout(DEADLINE, read_election(&session, PATH)).await.unwrap().unwrap();
    let data: Vec<_> = view.members.iter().map(|member| member.data.clone()).collect();
    assert_eq!(data, [[0], [1], [2]]);
}

#[tokio::test]
async fn a_server_of_low_priority_is_registered_when_its_delay_is_over() {
    let (delay, started) = (Duration::from_millis(300), Instant::now());
    let mut rig = Rig::delayed(FakeZooKeeper::default(), true, delay);
    rig.registered().await;
    assert!(started.elapsed() >= delay, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_reading_tells_whether_the_agent_leads() {
    let zookeeper = FakeZooKeeper::default();
    let other = zookeeper.connect(None).await.unwrap();
    other.ensure_path(PATH).await.unwrap();
    let (path, _) = other.create_sequential(&format!("{PATH}/node-"), b"db2.internal").await.unwrap();
    let mut rig = Rig::start(zookeeper, true);
    rig.registered().await;
    assert!(!rig.wait_for(|status| status.registered.is_some()).await.leads);
    other.delete(&path).await.unwrap();
    rig.wait_for(|status| status.leads).await;
}
