//! The listener for those who only read, on a real ZooKeeper, with stub servers for members: who serves, how sessions
//! are spread, and which end when a member comes or goes.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;
#[path = "support/world.rs"]
mod world;

use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Mutex, mpsc};

use capitana::control::Coordinator;
use serde_json::{Value, json};
use support::{
    Client, SettingsFile, Start, Stub, accept_login, connect, error_of, get, metric, read_packet, until,
};
use world::{World, data};

/// A proxy with a second listener.
async fn follow(flags: &[&str]) -> World {
    World::new(Start::with(flags).replicas()).await
}

impl World {
    fn readers(&self) -> SocketAddr {
        self.proxy.replica_listen.unwrap()
    }
}

/// A reader that is served.
fn reader(world: &World) -> Client {
    let mut client = Client::open(world.readers());
    client.echo(b"which row");
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_spread_over_the_members_that_are_not_the_primary() {
    let stubs = [Stub::echo(), Stub::echo(), Stub::echo()];
    let world = follow(&[]).await;
    for stub in &stubs {
        world.join(stub).await;
    }
    world.serving(&[&stubs[1], &stubs[2]]);
    let clients: Vec<_> = (0..10).map(|_| reader(&world)).collect();
    assert_eq!(stubs.each_ref().map(Stub::accepted), [0, 5, 5]);
    Client::open(world.proxy.listen).echo(b"a write");
    assert_eq!(stubs[0].accepted(), 1);
    assert_eq!(metric(world.proxy.admin, "capitana_sessions{role=\"replica\"}"), 10.0);
    assert_eq!(metric(world.proxy.admin, "capitana_replicas"), 2.0);
    let sessions: Value = serde_json::from_str(&get(world.proxy.admin, "/sessions").body).unwrap();
    let roles: Vec<_> = sessions.as_array().unwrap().iter().map(|s| s["role"].as_str().unwrap()).collect();
    assert_eq!(roles.iter().filter(|role| **role == "replica").count(), 10);
    drop(clients);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_being_led_to_a_replica_goes_on_when_another_comes() {
    let (greet, may_greet) = mpsc::channel::<()>();
    let may_greet = Mutex::new(may_greet);
    let (primary, other) = (Stub::echo(), Stub::echo());
    let slow = Stub::new(move |stream| {
        let _ = may_greet.lock().unwrap().recv();
        accept_login(stream).map(|mut stream| stream.read(&mut [0]));
    });
    let world = follow(&[]).await;
    world.join(&primary).await;
    world.join(&slow).await;
    world.serving(&[&slow]);
    let led = connect(world.readers());
    until("the reader is led to the slow one", || (slow.accepted() == 1).then_some(()));
    world.join(&other).await;
    world.serving(&[&slow, &other]);
    greet.send(()).unwrap();
    Client::served(led);
    assert_eq!((slow.accepted(), other.accepted()), (1, 0));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weight_is_a_share_of_the_sessions_and_0_is_none() {
    let stubs = [Stub::echo(), Stub::echo(), Stub::echo(), Stub::echo()];
    let world = follow(&[]).await;
    for (stub, weight) in stubs.iter().zip([100, 0, 200, 100]) {
        world.register(&data(stub, &json!({"weight": weight}))).await;
    }
    world.serving(&[&stubs[2], &stubs[3]]);
    let clients: Vec<_> = (0..9).map(|_| reader(&world)).collect();
    assert_eq!(stubs.each_ref().map(Stub::accepted), [0, 0, 6, 3]);
    drop(clients);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_replica_the_primary_stands_in_and_sessions_go_back_when_there_is_one() {
    let (primary, replica) = (Stub::echo(), Stub::echo());
    let world = follow(&["--drain-timeout", "500ms"]).await;
    world.join(&primary).await;
    let status = world.serving(&[&primary]);
    assert_eq!(status["replicas"]["by_fallback"], true);
    let mut stranded = reader(&world);
    world.join(&replica).await;
    world.serving(&[&replica]);
    stranded.ends();
    let mut client = reader(&world);
    client.echo(b"and again");
    assert_eq!((primary.accepted(), replica.accepted()), (1, 1));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_may_stand_in_a_reader_waits_and_is_told_why() {
    let (primary, replica) = (Stub::echo(), Stub::echo());
    let world = follow(&["--replica-fallback", "none", "--hold-timeout", "500ms"]).await;
    world.join(&primary).await;
    world.proxy.status("the primary is there", |status| !status["route"].is_null());
    let mut early = connect(world.readers());
    let (code, text) = error_of(&read_packet(&mut early).unwrap());
    assert_eq!(code, 1053);
    assert!(text.contains("there is no replica") && text.contains("replica-fallback"), "{text}");
    world.join(&replica).await;
    world.serving(&[&replica]);
    reader(&world);
    assert_eq!(primary.accepted(), 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_a_member_that_leaves_end_and_those_of_others_go_on() {
    let (primary, leaver, stays) = (Stub::echo(), Stub::echo(), Stub::echo());
    let world = follow(&["--drain-timeout", "500ms"]).await;
    world.join(&primary).await;
    let path = world.join(&leaver).await;
    world.serving(&[&leaver]);
    let mut ends = reader(&world);
    world.join(&stays).await;
    world.serving(&[&leaver, &stays]);
    let mut goes_on = reader(&world);
    let mut writer = Client::open(world.proxy.listen);
    world.leave(&path).await;
    ends.ends();
    goes_on.echo(b"still here");
    writer.echo(b"so is the primary's");
    let ended = "capitana_sessions_ended_total{role=\"replica\",reason=\"drain-timeout\"}";
    until("the end is counted", || (metric(world.proxy.admin, ended) == 1.0).then_some(()));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_becomes_the_primary_loses_its_readers() {
    let (old, next, other) = (Stub::echo(), Stub::echo(), Stub::echo());
    let world = follow(&["--drain-timeout", "500ms"]).await;
    let path = world.join(&old).await;
    world.join(&next).await;
    world.serving(&[&next]);
    let mut ends = reader(&world);
    world.join(&other).await;
    world.serving(&[&next, &other]);
    world.leave(&path).await;
    world.serving(&[&other]);
    ends.ends();
    Client::open(world.proxy.listen).echo(b"a write");
    assert_eq!(next.accepted(), 2);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_stay_where_they_are_while_nobody_serves() {
    let (primary, replica) = (Stub::echo(), Stub::echo());
    let world = follow(&["--drain-timeout", "100ms"]).await;
    let first = world.join(&primary).await;
    let second = world.join(&replica).await;
    world.serving(&[&replica]);
    let mut client = reader(&world);
    world.leave(&second).await;
    world.serving(&[&primary]);
    client.ends();
    let mut client = reader(&world);
    world.leave(&first).await;
    world.serving(&[]);
    client.echo(b"nobody is better");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_refuses_costs_a_reader_nothing() {
    let (primary, good) = (Stub::echo(), Stub::echo());
    let gone = Stub::echo();
    let world = follow(&[]).await;
    world.join(&primary).await;
    world.join(&gone).await;
    world.join(&good).await;
    world.serving(&[&gone, &good]);
    drop(gone);
    for _ in 0..6 {
        reader(&world);
    }
    assert_eq!(good.accepted(), 6);
    assert!(metric(world.proxy.admin, "capitana_dials_total{role=\"replica\",result=\"failed\"}") >= 1.0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_lags_serves_again_when_its_queue_is_half_of_the_limit() {
    let (primary, slow, quick) = (Stub::echo(), Stub::echo(), Stub::echo());
    let world = follow(&["--max-lag", "100", "--drain-timeout", "500ms"]).await;
    let lagging = |lag: u64| data(&slow, &json!({"lag": lag}));
    world.join(&primary).await;
    let member = world.register(&lagging(3)).await;
    world.serving(&[&slow]);
    let mut ends = reader(&world);
    world.join(&quick).await;
    for (lag, serves) in [(101, false), (60, false), (50, true)] {
        assert!(world.session.write(&member.0, lagging(lag).as_bytes()).await.unwrap());
        world.proxy.status("the lag is seen", |s| s["election"]["members"][1]["lag"] == lag);
        if serves {
            world.serving(&[&slow, &quick]);
        } else {
            world.serving(&[&quick]);
            ends.ends();
        }
    }
    world.end().await;
}

/// A proxy with this line in its settings file. Its next look at ZooKeeper comes long after every deadline of a test.
async fn follow_patiently(line: &str) -> (World, SettingsFile) {
    let file = SettingsFile::new(line);
    let start = Start::with(&["--zookeeper-session-timeout", "10m"]).flag("--config", file.path());
    (World::new(start.replicas()).await, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_that_is_changed_holds_without_another_look_at_zookeeper() {
    let primary = Stub::echo();
    let (world, file) = follow_patiently("replica-fallback = \"primary\"").await;
    world.join(&primary).await;
    world.serving(&[&primary]);
    file.change("\"primary\"", "\"none\"", &world.proxy);
    world.serving(&[]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_that_is_changed_holds_while_zookeeper_is_down() {
    let primary = Stub::echo();
    let (world, file) = follow_patiently("replica-fallback = \"primary\"").await;
    world.join(&primary).await;
    world.serving(&[&primary]);
    world.lab.zookeepers()[0].kill().await.unwrap();
    world.proxy.status("the loss is noticed", |status| status["election"]["connected"] == false);
    file.change("\"primary\"", "\"none\"", &world.proxy);
    world.serving(&[]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_set_holds_at_once_and_for_lags_to_come() {
    let (primary, slow) = (Stub::echo(), Stub::echo());
    let (world, file) = follow_patiently("# max-lag = 100").await;
    let lagging = |lag: u64| data(&slow, &json!({"lag": lag}));
    world.join(&primary).await;
    let member = world.register(&lagging(3)).await;
    world.serving(&[&slow]);
    assert!(world.session.write(&member.0, lagging(101).as_bytes()).await.unwrap());
    file.change("# max-lag", "max-lag", &world.proxy);
    world.serving(&[&primary]);
    assert!(world.session.write(&member.0, lagging(50).as_bytes()).await.unwrap());
    world.serving(&[&slow]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_for_the_lags_that_are_known_while_zookeeper_does_not_answer() {
    let (primary, slow) = (Stub::echo(), Stub::echo());
    let (world, file) = follow_patiently("# max-lag = 100").await;
    world.join(&primary).await;
    world.register(&data(&slow, &json!({"lag": 101}))).await;
    world.serving(&[&slow]);
    world.lab.zookeepers()[0].freeze().await.unwrap();
    file.change("# max-lag", "max-lag", &world.proxy);
    world.serving(&[&primary]);
    file.change("= 100", "= 300", &world.proxy);
    world.serving(&[&slow]);
    world.lab.zookeepers()[0].thaw().unwrap();
    world.end().await;
}

#[test]
fn with_a_fixed_primary_the_second_listener_is_not_opened() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).replicas().start();
    Client::refused(proxy.replica_listen.unwrap());
    let warned = |line: &String| line.contains("with a fixed primary there are no replicas");
    until("it is said", || proxy.log().iter().any(warned).then_some(()));
}
