//! What the agent knows after a restart, a crash in the middle, a copy of its directory, and without one.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

fn place() -> Place {
    let member = serde_json::from_str(r#"{"host":"db1","weight":100}"#).unwrap();
    Place { zookeeper: "zk1:2181".to_owned(), election_path: "/mariadb/primary".to_owned(), member }
}

fn saved() -> SavedSession {
    serde_json::from_str(r#"{"id":5,"password":[1,2,3]}"#).unwrap()
}

async fn open_here(path: &Path) -> (State, Identity) {
    let (state, identity) = open(path, Host::here("db1"), place()).await.unwrap();
    (state.unwrap(), identity)
}

/// Opens it when the agent that had it has let it go.
async fn reopen(path: &Path, state: State, place: Place) -> Identity {
    drop(state);
    loop {
        match open(path, Host::here("db1"), place.clone()).await {
            Ok((_, identity)) => return identity,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Remembers a session, and returns when it is on the disk.
async fn remember(path: &Path, state: &State) {
    state.remember(saved());
    let there = || {
        let kept: Option<Kept> = Directory::make(path).unwrap().read(FILE).unwrap();
        kept.is_some_and(|kept| kept.known.session.is_some())
    };
    while !there() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_restarted_agent_is_the_same_node_in_its_next_incarnation_with_its_session() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("state");
    let (state, first) = open_here(&path).await;
    assert_eq!((first.incarnation, first.session), (Some(1), None));
    remember(&path, &state).await;
    let second = reopen(&path, state, place()).await;
    let session = Some(saved());
    let again = Identity { guid: first.guid, incarnation: Some(2), session, learnt: Learnt::default() };
    assert_eq!(second, again);
}

#[tokio::test]
async fn what_was_learnt_is_known_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let (state, first) = open_here(directory.path()).await;
    assert_eq!(first.learnt, Learnt::default());
    let others = Others { count: 2, admins: vec!["db2:9308".parse().unwrap()] };
    state.learn(|learnt| *learnt = Learnt { galera: true, others: others.clone() });
    // What is written last has what was learnt before.
    remember(directory.path(), &state).await;
    let second = reopen(directory.path(), state, place()).await;
    assert_eq!(second.learnt, Learnt { galera: true, others });
}

#[tokio::test]
async fn nobody_else_can_read_the_directory_or_what_is_in_it() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("state");
    let _open = open_here(&path).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&path.join("agent.json"))), (0o700, 0o600));
}

#[tokio::test]
async fn a_second_agent_with_the_same_directory_is_refused_and_told_why() {
    let directory = TempDir::new().unwrap();
    let _first = open_here(directory.path()).await;
    let refused = open(directory.path(), Host::here("db2"), place()).await.unwrap_err().to_string();
    assert!(refused.contains("another agent runs with"), "{refused}");
}

#[tokio::test]
async fn a_session_is_not_gone_on_with_where_the_znode_would_say_something_else() {
    let directory = TempDir::new().unwrap();
    let (state, first) = open_here(directory.path()).await;
    remember(directory.path(), &state).await;
    let elsewhere = Place { election_path: "/other".to_owned(), ..place() };
    let second = reopen(directory.path(), state, elsewhere).await;
    assert_eq!((second.guid, second.session), (first.guid, None));
}

#[tokio::test]
async fn a_session_of_before_the_machine_was_started_is_not_gone_on_with() {
    let kept = KeptSession { boot: "before".to_owned(), place: place(), session: saved() };
    assert!(kept.is_good(&place(), Some("before")));
    assert!(!kept.is_good(&place(), Some("after")));
    assert!(!kept.is_good(&place(), None));
}

#[tokio::test]
async fn a_copy_of_the_directory_on_another_node_is_another_node() {
    let directory = TempDir::new().unwrap();
    let (state, first) = open_here(directory.path()).await;
    remember(directory.path(), &state).await;
    drop(state);
    let copy = TempDir::new().unwrap();
    fs::copy(directory.path().join("agent.json"), copy.path().join("agent.json")).unwrap();
    let (_, second) = open(copy.path(), Host::here("db2"), place()).await.unwrap();
    assert_ne!(second.guid, first.guid);
    assert_eq!((second.incarnation, second.session), (Some(1), None));
}

#[tokio::test]
async fn a_file_that_cannot_be_understood_is_put_aside_for_a_new_identity() {
    let whole = serde_json::to_vec(&Kept {
        guid: "g".to_owned(),
        incarnation: 1,
        host: Host::here("db1"),
        known: Known::default(),
    });
    let half = whole.unwrap()[..20].to_vec();
    for garbage in [half, Vec::new(), vec![0xff; 4096], b"{\"guid\":1}".to_vec()] {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("agent.json"), &garbage).unwrap();
        let (_state, identity) = open_here(directory.path()).await;
        assert_eq!(identity.incarnation, Some(1));
        assert_eq!(fs::read(directory.path().join("agent.json.unreadable")).unwrap(), garbage);
    }
}

#[tokio::test]
async fn an_agent_without_a_directory_starts_all_the_same() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("a-file");
    fs::write(&file, "").unwrap();
    let (state, identity) = open(&file.join("state"), Host::here("db1"), place()).await.unwrap();
    assert!(state.is_none());
    assert_eq!((identity.incarnation, identity.session), (None, None));
}
