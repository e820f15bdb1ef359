//! A worker's lock against a ZooKeeper in memory, where others take it as well.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use capitana_core::candidacy::Wish;
use capitana_core::registration::{Event, Request};
use capitana_core::worker::Terms;
use prometheus::Registry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::lock;
use super::metrics::WorkerMetrics;
use super::registrant::{Identity, WorkerRegistrant};
use crate::registrar::{Answer, Registrant};
use crate::side::tests::fake::Fake;

const LOCK: &str = "/leader";

fn identity() -> Identity {
    Identity {
        guid: "one".to_owned(),
        node: "app1".to_owned(),
        terms: Terms { count: 1, exclusive: false },
        path: LOCK.to_owned(),
        is_lock: true,
    }
}

/// Session 1 gives the lock up.
async fn give_up(zookeeper: &Fake) -> Event {
    let (_wish, wished) = watch::channel(Wish::Withdraw);
    let (_idle, is_idle) = watch::channel(true);
    let metrics = WorkerMetrics::register(&Registry::new()).unwrap();
    let (worker, _) = WorkerRegistrant::new(identity(), wished, is_idle, CancellationToken::new(), metrics);
    let session = zookeeper.session(1);
    worker.carry_out(&session, Request::Delete(LOCK.to_owned())).await.unwrap().event
}

#[tokio::test]
async fn a_lock_that_another_holds_by_now_is_not_deleted_with_the_own() {
    let zookeeper = Fake::new();
    zookeeper.put(LOCK, b"another", 2);
    assert_eq!(give_up(&zookeeper).await, Event::Deleted);
    assert_eq!(zookeeper.owners(), [2]);
}

#[tokio::test]
async fn the_own_lock_is_deleted_whatever_was_written_into_it() {
    let zookeeper = Fake::new();
    zookeeper.put(LOCK, b"somebody was here", 1);
    assert_eq!(give_up(&zookeeper).await, Event::Deleted);
    assert!(zookeeper.owners().is_empty());
    assert_eq!(give_up(&zookeeper).await, Event::Deleted, "it is gone");
}

#[tokio::test]
async fn a_lock_of_an_earlier_session_of_this_worker_is_anothers_until_it_goes() {
    let zookeeper = Fake::new();
    zookeeper.put(LOCK, &identity().data(), 7);
    let Answer { event, look: Some(look), .. } =
        lock::look(&zookeeper.session(1), &identity()).await.unwrap()
    else {
        panic!("it was a look");
    };
    assert_eq!(event, Event::Seen { exists: false, own: Vec::new() });
    assert!(look.rival && look.seen.own.is_none());
    assert_eq!(look.seen.held_by.as_deref(), Some("app1 (session 0x7)"));
}
