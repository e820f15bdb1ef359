//! Scenario `detect-crash`: kill -9 of the primary's mariadbd, again and again. How long its znode outlives it.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{Scenario, in_lab};
use crate::bank::{Fault, percentile, quick};
use crate::election::Observer;
use crate::lab::Lab;
use crate::progress::{Progress, shown};
use crate::report::Report;

/// How long a round waits for what should take milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);
const MEDIAN_MS: f64 = 50.0;
const MAX_MS: f64 = 500.0;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "detect-crash",
    about: "kill -9 of the primary's mariadbd, 20 times: how long its znode outlives it",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = Lab::builder().galera(3).zookeeper(1).agents(true).proxies(1);
    in_lab(builder, &progress, async |lab, report| crashes(lab, report).await).await
}

async fn crashes(lab: &Lab, report: &mut Report) -> Result<()> {
    let rounds = if quick() { 4 } else { 20 };
    let observer = Observer::connect(&lab.zookeeper()).await?;
    let mut times = Vec::new();
    let mut epoch = 0;
    for _ in 0..rounds {
        let (route, _) = lab.agreed_route(epoch, PATIENCE).await?;
        let primary = lab.node_at(&route.upstream).context("the primary is no node of the lab")?;
        let node = &lab.nodes()[primary];
        let znode = observer.candidate(&route.upstream).await?;
        let gone = observer.gone_after(&znode, PATIENCE, || Fault::Crash.strike(lab, primary)).await?;
        lab.progress().say(format_args!(
            "{} was killed; its znode was gone after {}",
            node.name(),
            shown(gone)
        ));
        times.push(gone.as_secs_f64() * 1_000.0);
        epoch = route.epoch;
        Fault::Crash.mend(lab, primary).await?;
    }
    let (median, max) = (percentile(&times, 50), percentile(&times, 100));
    report.count("rounds", rounds);
    report.at_most("znode_gone_ms_median", (median * 10.0).round() / 10.0, MEDIAN_MS);
    report.at_most("znode_gone_ms_max", (max * 10.0).round() / 10.0, MAX_MS);
    Ok(())
}
