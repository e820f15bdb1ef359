//! Scenario `config-live`: a hundred real processes follow their settings in ZooKeeper. What is good reaches all of them
//! within a second; what is bad is used by none and named by all; and whatever was missed, all end in the same state.

mod fleet;
mod hand;
mod trouble;

use std::time::Duration;

use anyhow::{Result, anyhow};
use futures_util::future::try_join_all;

use super::{Scenario, in_lab};
use crate::example;
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;
use crate::wait::wait_until;
use fleet::Fleet;
use hand::Hand;

/// Processes that follow.
const PROXIES: usize = 80;
const AGENTS: usize = 20;
/// How long a change may take to the last of them.
const REACH: Duration = Duration::from_secs(1);
/// How long something may take that has no limit of its own.
const PATIENCE: Duration = Duration::from_secs(30);
/// Writers of one version at once.
const WRITERS: usize = 10;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "config-live",
    about: "100 processes follow their settings in ZooKeeper: good ones at once, bad ones never",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(Lab::builder().zookeeper(1), &progress, async |lab, report| follow(lab, report).await).await
}

/// Changes of good settings in one run.
fn rounds() -> usize {
    if std::env::var_os("CAPITANA_LAB_QUICK").is_some() { 5 } else { 40 }
}

async fn follow(lab: &Lab, report: &mut Report) -> Result<()> {
    let hand = Hand::new(&lab.zookeeper()).await?;
    example::run(lab, "configuration.md").await?;
    for kind in ["proxy", "agent"] {
        let _ = hand.delete(kind).await;
    }
    lab.progress().say(format_args!("starting {PROXIES} proxies and {AGENTS} agents"));
    let fleet = Fleet::start(lab, PROXIES, AGENTS).await?;
    report.count("processes", fleet.0.len());
    changes(&hand, &fleet, report).await?;
    races(&hand, &fleet, report).await?;
    trouble::bad(&hand, &fleet, report).await?;
    trouble::missed(lab, &hand, &fleet, report).await?;
    trouble::unreadable(&hand, &fleet, report).await?;
    trouble::deleted(&hand, &fleet, report).await
}

/// Settings of both kinds, changed again and again: how long each change took to the last process.
async fn changes(hand: &Hand, fleet: &Fleet, report: &mut Report) -> Result<()> {
    let mut slowest = Vec::new();
    for round in 0..rounds() {
        for (kind, text) in [
            ("proxy", format!("hold-timeout = \"{}s\"\n", 20 + round)),
            ("agent", format!("rise = {}\n", 3 + round)),
        ] {
            let (version, written) = hand.set(kind, &text).await?;
            fleet
                .all_stand(
                    |one, stands| one.kind != kind || stands.version == Some(version),
                    "uses the version",
                )
                .await?;
            slowest.push(fleet.slowest(kind, version, written)?);
        }
    }
    slowest.sort_unstable();
    report.count("changes", slowest.len());
    report.millis("change_to_all_median_ms", slowest[slowest.len() / 2]);
    report.at_most("change_to_all_ms", slowest.last().copied().unwrap_or_default(), REACH);
    let last = format!("\"{}s\"", 20 + rounds() - 1);
    let holds =
        try_join_all(fleet.0.iter().filter(|one| one.kind == "proxy").map(|one| one.setting("hold-timeout")))
            .await?;
    let standing = async || hand.standing("proxy").await.ok().filter(|(same, _)| *same == PROXIES);
    let shown = wait_until(PATIENCE, "`capitana status` shows every proxy with the version", standing).await;
    report.check(shown.is_ok(), || format!("{:#}", shown.err().unwrap_or_else(|| anyhow!("?"))));
    report.none("other_values_than_the_last", holds.iter().filter(|value| **value != last).count());
    Ok(())
}

/// Ten writers who have all seen the same version, and ten who do not look.
async fn races(hand: &Hand, fleet: &Fleet, report: &mut Report) -> Result<()> {
    let (seen, _) = hand.set("proxy", "hold-timeout = \"9s\"\n").await?;
    let seen = seen.to_string();
    let writes = (0..WRITERS).map(async |writer| {
        let text = format!("hold-timeout = \"{}s\"\n", 100 + writer);
        hand.config(&["set", "proxy", "-", "--version", &seen], &text).await
    });
    let said = try_join_all(writes).await?;
    report.exactly("winners_of_a_race", said.iter().filter(|said| said.code == 0).count(), 1);
    let clear = |said: &&hand::Said| {
        said.code == 75 && said.err.lines().count() == 1 && said.err.contains("hold-timeout (\"9s\" -> \"10")
    };
    let losers: Vec<_> = said.iter().filter(|said| said.code != 0).collect();
    report
        .exactly("losers_told_what_has_changed", losers.iter().copied().filter(clear).count(), WRITERS - 1)
        .because(|| losers.iter().map(|said| said.err.trim()).collect::<Vec<_>>().join("; "));
    let writes = (0..WRITERS).map(async |writer| {
        hand.config(&["set", "proxy", "-"], &format!("dial-timeout = \"{}s\"\n", 100 + writer)).await
    });
    let said = try_join_all(writes).await?;
    report.exactly("writers_who_do_not_look", said.iter().filter(|said| said.code == 0).count(), WRITERS);
    let history = hand.config(&["history", "proxy", "--json"], "").await?.out;
    let texts: Vec<_> =
        (0..WRITERS).map(|writer| format!("dial-timeout = \\\"{}s\\\"", 100 + writer)).collect();
    report.exactly(
        "versions_of_them_kept",
        texts.iter().filter(|text| history.contains(*text)).count(),
        WRITERS,
    );
    let newest: i32 = seen.parse::<i32>()? + 1 + i32::try_from(WRITERS)?;
    fleet
        .all_stand(|one, stands| one.kind != "proxy" || stands.version == Some(newest), "uses the last one")
        .await?;
    Ok(())
}
