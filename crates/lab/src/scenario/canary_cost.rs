//! Scenario `canary-cost`: what the agents' commits cost the cluster: sysbench on the primary, round by round with them
//! and without, the two of a pair one after the other and in turns first.

use std::time::Duration;

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use serde::Deserialize;

use super::sysbench::{prepare, transactions};
use super::{Scenario, in_lab};
use crate::bank::{percentile, quick};
use crate::galera::{Disk, MONITOR};
use crate::http;
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;
use crate::wait::wait_until;

/// An agent tries again every 10 s what it had no right to.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of transactions without the canary.
const AT_LEAST: f64 = 0.98;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "canary-cost",
    about: "sysbench on the primary with and without the agents' commits, by turns: no difference",
    run: |progress| Box::pin(run(progress)),
};

#[derive(Deserialize)]
struct AgentStatus {
    canary: Canary,
}

#[derive(Deserialize)]
struct Canary {
    impossible_because: Option<String>,
    last: Option<LastCommit>,
}

#[derive(Deserialize)]
struct LastCommit {
    row: bool,
}

async fn run(progress: Progress) -> Result<Report> {
    let builder = Lab::builder().galera(3).zookeeper(1).agents(true).proxies(1);
    // A log that is full every second, as the lab's small one would be, stalls the server for longer than this measures.
    let builder = builder.server_option("innodb_log_file_size", "512M");
    let builder = builder.server_option("innodb_buffer_pool_size", "256M");
    let builder = if rustix::process::geteuid().is_root() {
        builder.disk(Disk::Memory)
    } else {
        progress.say("the data is on disk, whose own time may drown what is measured: memory takes root");
        builder
    };
    in_lab(builder, &progress, async |lab, report| compare(lab, report).await).await
}

async fn compare(lab: &Lab, report: &mut Report) -> Result<()> {
    let (pairs, each) = if quick() { (2, 3) } else { (30, 5) };
    let (route, _) = lab.agreed_route(0, PATIENCE).await?;
    let primary = lab.node_at(&route.upstream).context("the primary is no node of the lab")?;
    let address = lab.nodes()[primary].address();
    prepare(lab, address).await?;
    // The first run fills the caches, and counts for nothing.
    transactions(lab, address, Duration::from_secs(each)).await?;
    let (mut ratios, mut syncs) = (Vec::new(), [0.0; 2]);
    for pair in 0..pairs {
        let mut rates = [0.0; 2];
        for canary in if pair % 2 == 0 { [true, false] } else { [false, true] } {
            switch(lab, primary, canary).await?;
            let before = syncs_of(lab, primary).await?;
            rates[usize::from(canary)] = transactions(lab, address, Duration::from_secs(each)).await?;
            syncs[usize::from(canary)] += syncs_of(lab, primary).await? - before;
        }
        let ratio = rates[1] / rates[0];
        lab.progress().say(format_args!(
            "pair {} of {pairs}: with the canary {:.0} transactions a second, without {:.0}: {ratio:.3}",
            pair + 1,
            rates[1],
            rates[0]
        ));
        ratios.push(ratio);
    }
    let (now, _) = lab.agreed_route(0, PATIENCE).await?;
    report.check(now == route, || format!("{} leads at the end: the load went elsewhere", now.upstream));
    judge(report, &ratios, syncs);
    Ok(())
}

fn judge(report: &mut Report, ratios: &[f64], syncs: [f64; 2]) {
    let rounded = |figure: f64| (figure * 1_000.0).round() / 1_000.0;
    report.count("pairs", ratios.len());
    report.figure("ratio_p10", rounded(percentile(ratios, 10)));
    report.figure("ratio_p90", rounded(percentile(ratios, 90)));
    // What memory does not show: how much more often the disk is waited for.
    report.figure("syncs_ratio", rounded(syncs[1] / syncs[0]));
    report.at_least("ratio_median", rounded(percentile(ratios, 50)), AT_LEAST);
}

/// How often InnoDB has had the disk write everything.
async fn syncs_of(lab: &Lab, node: usize) -> Result<f64> {
    let mut conn = lab.nodes()[node].root().await?;
    let row: Option<(String, f64)> = conn.query_first("SHOW GLOBAL STATUS LIKE 'Innodb_data_fsyncs'").await?;
    conn.disconnect().await?;
    row.map(|(_, syncs)| syncs).context("the server does not count Innodb_data_fsyncs")
}

/// Takes the agents' right to write, or gives it back, and waits until the one of the primary has noticed.
async fn switch(lab: &Lab, primary: usize, canary: bool) -> Result<()> {
    let (verb, to) = if canary { ("GRANT", "TO") } else { ("REVOKE", "FROM") };
    let rights = format!("{verb} SELECT, INSERT, UPDATE ON capitana.* {to} {MONITOR}@'%'");
    lab.nodes()[primary].execute(&rights).await?;
    let noticed = async || {
        let status: AgentStatus = http::get_json(lab.agents()[primary].admin(), "/status").await.ok()?;
        let writes = status.canary.impossible_because.is_none() && status.canary.last?.row;
        (writes == canary).then_some(())
    };
    wait_until(PATIENCE, "the agent has noticed its rights", noticed).await.map(drop)
}
