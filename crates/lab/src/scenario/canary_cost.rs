//! Scenario `canary-cost`: what the agents' commits cost the cluster: sysbench on the primary, round by round with them
//! and without, the two of a pair one after the other and in turns first.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::sysbench::{prepare, transactions};
use super::{Scenario, in_lab};
use crate::bank::{percentile, quick};
use crate::galera::MONITOR;
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
    in_lab(builder, &progress, async |lab, report| compare(lab, report).await).await
}

async fn compare(lab: &Lab, report: &mut Report) -> Result<()> {
    let (pairs, each) = if quick() { (2, 3) } else { (24, 6) };
    let (route, _) = lab.agreed_route(0, PATIENCE).await?;
    let primary = lab.node_at(&route.upstream).context("the primary is no node of the lab")?;
    let address = lab.nodes()[primary].address();
    prepare(lab, address).await?;
    // The first run fills the caches, and counts for nothing.
    transactions(lab, address, Duration::from_secs(each)).await?;
    let mut ratios = Vec::new();
    for pair in 0..pairs {
        let mut rates = [0.0; 2];
        for canary in if pair % 2 == 0 { [true, false] } else { [false, true] } {
            switch(lab, primary, canary).await?;
            rates[usize::from(canary)] = transactions(lab, address, Duration::from_secs(each)).await?;
        }
        let ratio = rates[1] / rates[0];
        lab.progress().say(format_args!(
            "with the canary {:.0} transactions a second, without {:.0}: {ratio:.3}",
            rates[1], rates[0]
        ));
        ratios.push(ratio);
    }
    let median = percentile(&ratios, 50);
    report.count("pairs", pairs);
    report.figure("ratio_p10", (percentile(&ratios, 10) * 1_000.0).round() / 1_000.0);
    report.figure("ratio_p90", (percentile(&ratios, 90) * 1_000.0).round() / 1_000.0);
    report.at_least("ratio_median", (median * 1_000.0).round() / 1_000.0, AT_LEAST);
    Ok(())
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
