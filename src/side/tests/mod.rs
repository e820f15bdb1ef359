//! The side session against a ZooKeeper in memory that loses replies and links.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

pub(crate) mod fake;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use capitana_core::services::ServiceData;
use prometheus::{IntGauge, Registry};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::presence::Presence;
use super::{Board, Part, Roster, Round, SideMetrics, SideStatus, When, run};
use crate::control::LinkState;
use crate::live::ConfigStatus;
use crate::metrics::Maker;
use fake::{Fake, FakeSession};

fn board() -> (Board, watch::Receiver<SideStatus>) {
    Board::new(SideMetrics::register(&Maker::new(&Registry::new()).unwrap()).unwrap())
}

/// Runs the parts on a session of this number while `then` goes on.
async fn while_running(
    fake: &Fake,
    id: i64,
    parts: Vec<Arc<dyn Part<FakeSession>>>,
    then: impl Future<Output = ()>,
) {
    let session = fake.session(id);
    let (board, _status) = board();
    tokio::select! {
        cause = run(&session, &parts, &board) => panic!("the session ended: {cause}"),
        () = then => {}
    }
}

fn presence() -> Arc<Presence> {
    presence_with(None)
}

/// One that says how its settings stand.
fn presence_with(settings: Option<watch::Receiver<ConfigStatus>>) -> Arc<Presence> {
    let gauge = IntGauge::new("registered", "of a test").unwrap();
    let data = ServiceData { node: "app1".to_owned(), ..ServiceData::default() };
    Arc::new(Presence::new("/services", "proxy", (data, settings), gauge).0)
}

#[tokio::test]
async fn what_a_process_has_to_say_anew_is_written_into_the_znode_it_has() {
    let fake = Fake::new();
    let (settings, followed) = watch::channel(ConfigStatus::off());
    while_running(&fake, 7, vec![presence_with(Some(followed))], async {
        fake.until("registered", |fake| fake.says("\"version\":null")).await;
        settings.send_modify(|settings| settings.version = Some(5));
        fake.until("written", |fake| fake.says("\"version\":5")).await;
    })
    .await;
    assert_eq!(fake.tree().deleted, 0);
}

#[tokio::test]
async fn a_create_whose_reply_is_lost_leaves_one_znode() {
    let fake = Fake::new();
    fake.tree().lost_replies = 3;
    while_running(&fake, 7, vec![presence()], async {
        fake.until("it is registered", |fake| fake.owners() == [7]).await;
        fake.clear();
        fake.until("it is registered again", |fake| fake.owners() == [7] && fake.tree().lost_replies < 2)
            .await;
    })
    .await;
    assert_eq!(fake.tree().most_znodes, 1);
}

#[tokio::test]
async fn the_znode_of_an_earlier_session_is_replaced_by_one_of_this() {
    let (fake, presence) = (Fake::new(), presence());
    while_running(
        &fake,
        7,
        vec![Arc::clone(&presence) as _],
        fake.until("registered", |fake| fake.owners() == [7]),
    )
    .await;
    while_running(&fake, 8, vec![presence], fake.until("replaced", |fake| fake.owners() == [8])).await;
    assert_eq!(fake.tree().most_znodes, 1);
}

#[tokio::test]
async fn nothing_is_asked_while_the_link_is_down_and_everything_is_looked_at_when_it_is_back() {
    let fake = Fake::new();
    while_running(&fake, 7, vec![presence()], async {
        fake.until("registered", |fake| fake.owners() == [7]).await;
        fake.link.send_replace(LinkState::Disconnected);
        tokio::task::yield_now().await;
        while fake.requests.swap(0, SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        fake.clear();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(fake.requests.load(SeqCst), 0);
        fake.link.send_replace(LinkState::Connected);
        fake.until("registered again", |fake| fake.owners() == [7]).await;
    })
    .await;
}

/// A part whose rounds never end.
struct Stuck(CancellationToken);

impl Part<FakeSession> for Stuck {
    fn name(&self) -> &'static str {
        "stuck"
    }

    fn round<'a>(&'a self, _: &'a FakeSession) -> Round<'a> {
        self.0.cancel();
        Box::pin(pending())
    }
}

#[tokio::test]
async fn a_part_that_hangs_holds_up_no_other() {
    let (fake, stuck) = (Fake::new(), Arc::new(Stuck(CancellationToken::new())));
    while_running(&fake, 7, vec![Arc::clone(&stuck) as _, presence()], async {
        stuck.0.cancelled().await;
        fake.until("registered", |fake| fake.owners() == [7]).await;
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_over_ends_the_parts() {
    let fake = Fake::new();
    let (session, (board, _status)) = (fake.session(7), board());
    let parts: Vec<Arc<dyn Part<FakeSession>>> = vec![presence()];
    let over = async {
        fake.until("registered", |fake| fake.owners() == [7]).await;
        fake.link.send_replace(LinkState::Over);
        pending::<()>().await;
    };
    tokio::select! {
        cause = run(&session, &parts, &board) => assert_eq!(cause, "the session is over"),
        () = over => {}
    }
}

#[tokio::test]
async fn the_list_is_read_when_it_is_asked_for_and_only_then() {
    let fake = Fake::new();
    fake.put("/services/proxy/one", br#"{"node": "app1"}"#, 3);
    let roster = Arc::new(Roster::new("/services".to_owned(), None, When::Asked));
    while_running(&fake, 7, vec![Arc::clone(&roster) as _], async {
        assert_eq!(fake.requests.load(SeqCst), 0, "nobody has asked");
        assert_eq!(roster.ask().await.unwrap().services.len(), 1);
        fake.put("/services/agent/two", br#"{"node": "db1"}"#, 4);
        assert_eq!(roster.ask().await.unwrap().services.len(), 2, "it is read after the question");
    })
    .await;
}

#[tokio::test]
async fn many_who_ask_at_once_cost_two_readings_at_most() {
    let fake = Fake::new();
    fake.put("/services/proxy/one", br#"{"node": "app1"}"#, 3);
    let roster = Arc::new(Roster::new("/services".to_owned(), None, When::Asked));
    while_running(&fake, 7, vec![Arc::clone(&roster) as _], async {
        let asked = futures_util::future::join_all((0..100).map(|_| roster.ask())).await;
        assert!(asked.into_iter().all(|list| list.is_ok()));
    })
    .await;
    // Each: sync, the kinds, the services of the one kind, the one service.
    assert!(fake.requests.load(SeqCst) <= 8, "{} requests", fake.requests.load(SeqCst));
}
