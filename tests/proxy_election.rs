//! A proxy that follows an election on a real ZooKeeper, with stub servers for members: who is followed, whose
//! sessions end, and what an outage changes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;
#[path = "support/world.rs"]
mod world;

use std::io::Write;
use std::time::Duration;

use capitana::control::{Coordinator, ZooKeeperConnector};
use support::{Client, Start, Stub, connect, error_of, get, login, metric, read_packet, until};
use world::{PATH, World};

impl World {
    fn follows(&self, epoch: i64) {
        self.proxy.status(&format!("epoch {epoch} is followed"), |s| s["route"]["epoch"] == epoch);
    }

    fn follows_nobody(&self) {
        self.proxy.status("there is no primary", |status| status["route"].is_null());
    }

    fn ended(&self, reason: &str) -> f64 {
        metric(self.proxy.admin, &format!("capitana_sessions_ended_total{{reason=\"{reason}\"}}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_primary_is_followed_and_sessions_of_the_one_before_end() {
    let (first, second) = (Stub::echo(), Stub::echo());
    let world = World::new(Start::with(&[])).await;
    let old = world.register(&first.address.to_string()).await;
    let new = world.register(&second.address.to_string()).await;
    world.follows(old.1);
    let mut client = Client::open(world.proxy.listen);
    client.echo(b"to the first");

    world.leave(&old).await;
    client.ends();
    Client::open(world.proxy.listen).echo(b"to the second");
    assert_eq!((first.accepted(), second.accepted()), (1, 1));
    until("the end is counted", || (world.ended("epoch-ended") == 1.0).then_some(()));
    assert_eq!(metric(world.proxy.admin, "capitana_route_epoch"), new.1 as f64);
    assert_eq!(metric(world.proxy.admin, "capitana_failovers_total"), 1.0);
    let status = world.proxy.status("the change is remembered", |s| !s["failovers"][0].is_null());
    assert_eq!(status["failovers"][0]["from"]["upstream"], first.address.to_string());
    assert_eq!(status["failovers"][0]["to"]["epoch"], new.1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_comes_before_the_first_member_is_served_when_it_registers() {
    let stub = Stub::echo();
    let world = World::new(Start::with(&[])).await;
    let ready = until("the missing path is noticed", || {
        let ready = get(world.proxy.admin, "/readyz");
        ready.body.contains("does not exist").then_some(ready)
    });
    assert_eq!(ready.status, 503);
    let mut early = connect(world.proxy.listen);
    world.proxy.has_held(1);
    world.register(&stub.address.to_string()).await;
    read_packet(&mut early).unwrap();
    assert_eq!(get(world.proxy.admin, "/readyz").status, 200);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_must_not_be_followed_are_passed_over_and_never_dialled() {
    let (good, rogue) = (Stub::echo(), Stub::echo());
    let world = World::new(Start::with(&["--allow-upstreams", &good.address.ip().to_string()])).await;
    world.register(&rogue.address.to_string()).await;
    world.register("neither a host nor JSON").await;
    world.register(&"x".repeat(1_000_000)).await;
    world.session.ensure_path(&format!("{PATH}/node-0000099999")).await.unwrap();
    world.session.ensure_path(&format!("{PATH}/another-name")).await.unwrap();
    let member = world.register(&good.address.to_string()).await;
    world.follows(member.1);
    Client::open(world.proxy.listen).echo(b"to the good one");
    assert_eq!((good.accepted(), rogue.accepted()), (1, 0));
    for reason in ["not-allowed", "unparsable", "too-large", "persistent", "name"] {
        let series = format!("capitana_members_skipped_total{{reason=\"{reason}\"}}");
        assert_eq!(metric(world.proxy.admin, &series), 1.0, "{reason}");
    }
    assert_eq!(metric(world.proxy.admin, "capitana_members"), 1.0);
    assert_eq!(world.proxy.log_lines("a member of the election is not followed", 5).len(), 5);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_members_that_are_not_followed_are_counted_and_a_few_of_them_logged() {
    let world = World::new(Start::with(&[])).await;
    for _ in 0..200 {
        world.register("neither a host nor JSON").await;
    }
    let series = "capitana_members_skipped_total{reason=\"unparsable\"}";
    until("all are seen", || (metric(world.proxy.admin, series) >= 200.0).then_some(()));
    let told = || world.proxy.log_lines("a member of the election is not followed", 10).len();
    let untold = || metric(world.proxy.admin, "capitana_log_lines_suppressed_total") as usize;
    until("the rest is counted", || (told() + untold() == 200).then_some(()));
    assert!(told() <= 50, "{} lines", told());
    world.proxy.log_line("more members of the election are not followed; /status lists them");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_outlive_the_last_member_and_end_with_the_next_epoch() {
    let stub = Stub::echo();
    let world = World::new(Start::with(&[])).await;
    let only = world.register(&stub.address.to_string()).await;
    world.follows(only.1);
    let mut client = Client::open(world.proxy.listen);
    world.leave(&only).await;
    world.follows_nobody();
    client.echo(b"still served");
    let mut early = connect(world.proxy.listen);
    world.proxy.has_held(1);

    let again = world.register(&stub.address.to_string()).await;
    world.follows(again.1);
    read_packet(&mut early).unwrap();
    client.ends();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_under_way_is_finished_before_its_session_ends() {
    let (first, second) = (Stub::echo(), Stub::echo());
    let world = World::new(Start::with(&[])).await;
    let old = world.register(&first.address.to_string()).await;
    let new = world.register(&second.address.to_string()).await;
    world.follows(old.1);
    let mut client = Client(connect(world.proxy.listen));
    read_packet(&mut client.0).unwrap();
    world.leave(&old).await;
    world.follows(new.1);
    client.0.write_all(&login("shop")).unwrap();
    read_packet(&mut client.0).unwrap();
    client.ends();
    until("the end is counted", || (world.ended("epoch-ended") == 1.0).then_some(()));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn losing_zookeeper_changes_nothing_for_clients_and_its_return_is_noticed() {
    let (first, second) = (Stub::echo(), Stub::echo());
    let world = World::new(Start::with(&[])).await;
    let member = world.register(&first.address.to_string()).await;
    world.follows(member.1);
    let mut client = Client::open(world.proxy.listen);
    world.lab.zookeepers()[0].kill().await.unwrap();
    world.proxy.status("the loss is noticed", |status| status["election"]["connected"] == false);
    client.echo(b"still served");
    Client::open(world.proxy.listen).echo(b"and so is who comes now");
    assert_eq!(get(world.proxy.admin, "/readyz").status, 200);

    world.lab.zookeepers()[0].start().await.unwrap();
    world.lab.zookeepers()[0].wait_ready().await.unwrap();
    world.proxy.status("the return is noticed", |status| status["election"]["connected"] == true);
    let connector = ZooKeeperConnector::new(world.lab.zookeeper(), Duration::from_secs(4));
    let session = connector.connect().await.unwrap();
    let path = format!("{PATH}/node-");
    let next = session.create_sequential(&path, second.address.to_string().as_bytes()).await.unwrap();
    let _ = session.delete(&member.0).await;
    world.follows(next.1.czxid);
    client.ends();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_in_vain_is_told_that_nobody_is_registered() {
    let stub = Stub::echo();
    let world = World::new(Start::with(&["--hold-timeout", "500ms"])).await;
    let member = world.register(&stub.address.to_string()).await;
    world.follows(member.1);
    world.leave(&member).await;
    world.follows_nobody();
    let (_, text) = error_of(&read_packet(&mut connect(world.proxy.listen)).unwrap());
    assert!(text.contains("no server is registered in the election"), "{text}");
    world.end().await;
}
