//! What goes wrong with settings in ZooKeeper, and what a hundred processes make of it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::future::try_join_all;

use super::fleet::{Fleet, Follower, now_ms};
use super::hand::Hand;
use crate::lab::Lab;
use crate::report::Report;
use crate::wait::wait_until;

/// Settings that no proxy may use, and what each proxy has to say of them.
const BAD: [(&str, &[u8], &str); 8] = [
    ("no-toml", b"hold-timeout = \"3s\"\nhold-timeout\n", ":2: not TOML"),
    ("another-type", b"dial-timeout = \"3s\"\nhold-timeout = 3\n", ":2: hold-timeout: invalid type"),
    ("unknown-key", b"\nhold-timout = \"3s\"\n", ":2: hold-timout: unknown key; did you mean hold-timeout?"),
    ("of-the-agent", b"fall = 3\n", ":1: fall: this is a setting of the agent"),
    ("restart", b"hold-timeout = \"3s\"\nthreads = 4\n", ":2: threads: it takes effect only at a start"),
    ("of-one-host", b"monitor-password-file = \"/etc/passwd\"\n", "it names something of one host"),
    ("ensemble", b"zookeeper = \"elsewhere:2181\"\n", "zookeeper: it takes effect only at a start"),
    ("binary", b"\x00\xff\xfe\x01", "not UTF-8"),
];

/// The longest data that ZooKeeper takes with room for the request around it; two megabytes it does not take at all.
const LONG: usize = 1_000_000;

/// Bad settings one after the other, written past everything that would refuse them.
pub(super) async fn bad(hand: &Hand, fleet: &Fleet, report: &mut Report) -> Result<()> {
    let (good, _) = hand.set("proxy", "hold-timeout = \"11s\"\n").await?;
    let long = vec![b'#'; LONG];
    let all = BAD.into_iter().chain([("too-long", &long[..], "at most")]);
    let (mut slowest, mut used, mut written) = (Duration::ZERO, 0, 0);
    for (name, text, named) in all {
        let (version, at) = hand.force("proxy", text).await?;
        let refused = |one: &Follower, stands: &super::fleet::Stands| {
            one.kind != "proxy"
                || (stands.standing == "refused"
                    && (stands.newest, stands.version) == (Some(version), Some(good))
                    && stands.error.as_ref().is_some_and(|error| error.contains(named)))
        };
        fleet.all_stand(refused, &format!("refuses what is {name} and says \"{named}\"")).await?;
        slowest = slowest.max(Duration::from_millis(u64::try_from(now_ms() - at).unwrap_or_default()));
        let proxies = fleet.0.iter().filter(|one| one.kind == "proxy");
        let holds = try_join_all(proxies.map(|one| one.setting("hold-timeout"))).await?;
        used += holds.iter().filter(|value| *value != "\"11s\"").count();
        let said = hand.config(&["set", "proxy", "-"], &String::from_utf8_lossy(text)).await?;
        written += usize::from(said.code == 0 && name != "binary");
    }
    let (_, behind) = hand.standing("proxy").await?;
    let all = fleet.0.iter().filter(|one| one.kind == "proxy").count();
    report.exactly("shown_by_status_as_behind", behind, all);
    report.count("bad_settings", BAD.len() + 1);
    report.none("processes_that_used_bad_settings", used);
    report.none("bad_settings_that_capitana_config_wrote", written);
    report.at_most("bad_named_by_all_ms", slowest, Duration::from_secs(5));
    empty(hand, fleet).await
}

/// An empty text is good and says nothing: everybody has its own settings.
async fn empty(hand: &Hand, fleet: &Fleet) -> Result<()> {
    let (version, _) = hand.force("proxy", b"").await?;
    fleet
        .all_stand(|one, stands| one.kind != "proxy" || stands.version == Some(version), "uses nothing")
        .await?;
    Ok(())
}

/// What some of them do not see: a process that is stopped, and one that is not there yet, while versions come and go; and
/// all of them while ZooKeeper is down.
pub(super) async fn missed(lab: &Lab, hand: &Hand, fleet: &Fleet, report: &mut Report) -> Result<()> {
    let frozen = fleet.0.first().context("nobody")?;
    frozen.process.freeze().await?;
    for round in 0..20 {
        hand.force("proxy", format!("max-held = {round}").as_bytes()).await?;
        hand.set("proxy", &format!("hold-timeout = \"{}s\"", 40 + round)).await?;
    }
    let (good, _) = hand.set("proxy", "hold-timeout = \"33s\"").await?;
    hand.force("proxy", b"hold-timeout = 1").await?;
    frozen.process.thaw()?;
    let server = lab.zookeepers().first().context("no ZooKeeper server")?;
    let newcomer = Follower::new(lab, "proxy", fleet.0.len())?;
    newcomer.process.start().await?;
    let same = |one: &Follower, stands: &super::fleet::Stands| {
        one.kind != "proxy" || (stands.standing == "refused" && stands.version == Some(good))
    };
    fleet.all_stand(same, "uses the last good one").await?;
    let agrees = async || newcomer.stands().await.ok().filter(|stands| same(&newcomer, stands));
    let there = wait_until(Duration::from_secs(30), "a newcomer uses the last good one", agrees).await;
    report.check(there.is_ok(), || format!("a process started under bad settings: {there:?}"));
    server.kill().await?;
    let held = newcomer.setting("hold-timeout").await?;
    report.check(held == "\"33s\"", || format!("without ZooKeeper hold-timeout is {held}"));
    server.start().await?;
    server.wait_ready().await?;
    let hand = Hand::new(&lab.zookeeper()).await?;
    let (version, _) = hand.set("proxy", "hold-timeout = \"34s\"").await?;
    let took = fleet
        .all_stand(|one, stands| one.kind != "proxy" || stands.version == Some(version), "is back")
        .await?;
    report.at_most("change_after_an_outage_to_all_ms", took, Duration::from_secs(30));
    Ok(())
}

/// An ACL that lets nobody read: what is in use stays, and why is said.
pub(super) async fn unreadable(hand: &Hand, fleet: &Fleet, report: &mut Report) -> Result<()> {
    let (version, _) = hand.set("agent", "fall = 7\n").await?;
    fleet
        .all_stand(|one, stands| one.kind != "agent" || stands.version == Some(version), "uses the version")
        .await?;
    hand.close("agent", true).await?;
    let closed = |one: &Follower, stands: &super::fleet::Stands| {
        one.kind != "agent"
            || (stands.standing == "unreadable"
                && stands.error.as_ref().is_some_and(|error| error.contains("zookeeper-auth-file")))
    };
    fleet.all_stand(closed, "says that it may not read its settings").await?;
    let agent = fleet.0.last().context("nobody")?;
    let fall = agent.setting("fall").await?;
    report.check(fall == "7", || format!("an agent that may not read its settings has fall = {fall}"));
    hand.close("agent", false).await?;
    fleet.all_stand(|one, stands| one.kind != "agent" || stands.standing == "applied", "reads again").await?;
    Ok(())
}

/// Settings that are deleted: everybody has its own again. And nothing of all this has ended a process.
pub(super) async fn deleted(hand: &Hand, fleet: &Fleet, report: &mut Report) -> Result<()> {
    for kind in ["proxy", "agent"] {
        hand.delete(kind).await?;
    }
    fleet
        .all_stand(|_, stands| stands.standing == "absent" && stands.version.is_none(), "has its own")
        .await?;
    let first = fleet.0.first().context("nobody")?;
    let held = first.setting("hold-timeout").await?;
    report.check(held == "\"8s\"", || format!("with its own settings a proxy has hold-timeout = {held}"));
    let mut panics = 0;
    for one in &fleet.0 {
        one.process.check_runs()?;
        panics += fs::read_to_string(one.process.log_path())?.matches("panicked").count();
    }
    report.none("panics", panics);
    Ok(())
}
