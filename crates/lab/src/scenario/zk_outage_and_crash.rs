//! Scenario `zk-outage-and-crash`: the primary dies while every ZooKeeper server is down. Clients are held, then told
//! why; when ZooKeeper is back, they get on.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::scene::{self, PATIENCE, ROWS, Scene};
use super::{Scenario, in_lab};
use crate::lab::Lab;
use crate::load::{Verdict, Visit};
use crate::progress::{Progress, shown};
use crate::report::Report;
use crate::wait::wait_until;

/// How long the outage lasts before the crash: longer than the client library believes in a session of 2 s.
const BEFORE: Duration = Duration::from_secs(5);
/// How long it lasts after the crash: clients are held for 8 s.
const AFTER: Duration = Duration::from_secs(12);
/// How long a client is held before it is told, at the least: `hold-timeout` is 8 s.
const HELD: Duration = Duration::from_secs(7);
/// How long healing may take from the moment that ZooKeeper has a quorum again.
const HEALED: Duration = Duration::from_secs(5);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "zk-outage-and-crash",
    about: "the primary dies while ZooKeeper is down: clients are held, then told; it heals with ZooKeeper",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(scene::builder(), &progress, async |lab, report| crash(lab, report).await).await
}

async fn crash(lab: &Lab, report: &mut Report) -> Result<()> {
    let scene = Scene::open(lab).await?;
    let old = scene.primary()?;
    scene::kill_ensemble(lab).await?;
    tokio::time::sleep(BEFORE).await;
    lab.nodes()[old].kill().await?;
    let crashed = Instant::now();
    lab.progress().say(format_args!("{} is killed", lab.nodes()[old].name()));
    tokio::time::sleep(AFTER).await;
    let back = scene::start_ensemble(lab).await?;
    let served = async || scene.newcomers.visits().into_iter().find(|v| v.outcome.is_ok() && v.ended > back);
    let (first, _) = wait_until(PATIENCE, "a new client is served again", served).await?;
    let healed = first.ended - back;
    lab.progress().say(format_args!("new clients are served {} after ZooKeeper's return", shown(healed)));
    let (route, _) = lab.agreed_route(scene.first.epoch, PATIENCE).await?;
    scene.writers.wait_rows(ROWS).await?;
    report.millis("without_zookeeper_ms", back - crashed);
    report.at_most("healed_ms", healed, HEALED);
    let node = &lab.nodes()[lab.node_at(&route.upstream).context("the new primary is no node of the lab")?];
    let ledger = scene.writers.stop().await?;
    let lost = Verdict::read(node, &ledger).await?.lost;
    report.none("lost", lost);
    report.count("broken_sessions", ledger.broken_sessions.len());
    let visits = scene.newcomers.stop().await?;
    if let Some(trouble) = visits.iter().find_map(|visit| visit.outcome.as_ref().err()) {
        lab.progress().say(format_args!("a held client was told: {}", trouble.text));
    }
    judge(&visits, crashed, back, report);
    Ok(())
}

/// Whoever came without a primary being there was held, and then told in a way that a driver understands.
fn judge(visits: &[Visit], crashed: Instant, back: Instant, report: &mut Report) {
    let before = visits.iter().filter(|visit| visit.ended < crashed && visit.outcome.is_err()).count();
    report.none("new_connection_errors_before_the_crash", before);
    let mut told = 0_usize;
    for (visit, trouble) in visits.iter().filter_map(|visit| Some((visit, visit.outcome.as_ref().err()?))) {
        let (took, text) = (visit.took(), &trouble.text);
        if trouble.code.is_some() && took >= HELD {
            told += 1;
        } else if visit.began > crashed {
            // Who was on the way in at the moment of the crash lost the connection with the server.
            report.fail(format!("after {}, not held to the end and told: {text}", shown(took)));
        }
        report.check(visit.began < back + HEALED, || format!("after the return: {text}"));
    }
    report.at_least("told_after_the_hold", told, 1).because(|| "nobody was held to the end".to_owned());
}
