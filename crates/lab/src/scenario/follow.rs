//! Scenario `follow`: clients write through two proxies and follow the primary, when it crashes and when it steps down.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Scenario, in_lab};
use crate::lab::Lab;
use crate::load::{Verdict, Writers};
use crate::progress::{Progress, shown};
use crate::report::Report;
use crate::status::Route;

const CLIENTS: usize = 20;
/// Rows of each client before, between and after the changes.
const ROWS: u64 = 25;
/// Both proxies have to name the new primary this long after a change, at the latest.
const AGREE: Duration = Duration::from_secs(1);
/// How long it is waited for that: a proxy that is late is measured, too.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "follow",
    about: "20 clients write through two proxies while the primary is killed, and later steps down",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = Lab::builder().galera(3).zookeeper(1).agents(true).proxies(2);
    in_lab(builder, &progress, async |lab, report| follow(lab, report).await).await
}

async fn follow(lab: &Lab, report: &mut Report) -> Result<()> {
    let (first, _) = lab.agreed_route(0, PATIENCE).await?;
    lab.progress().say(format_args!("both proxies name {} (epoch {})", first.upstream, first.epoch));
    Writers::prepare(lab.nodes().first().context("no node")?).await?;
    let targets: Vec<_> = lab.proxies().iter().map(crate::Proxy::address).collect();
    let writers = Writers::start(lab, &targets, CLIENTS);
    writers.wait_rows(ROWS).await?;
    lab.progress().say(format_args!("{CLIENTS} clients write"));

    let crashed = primary(lab, &first)?;
    let kill = Change { name: "kill", told: format!("mariadbd of {} is killed", first.upstream) };
    let second = kill.watch(lab, &writers, &first, report, lab.nodes()[crashed].kill()).await?;

    let leaving = primary(lab, &second)?;
    ensure!(leaving != crashed, "the killed node is the primary again");
    let step_down = async { lab.agents()[leaving].stop().await.map(drop) };
    let order = Change { name: "step_down", told: format!("{} is told to step down", second.upstream) };
    let third = order.watch(lab, &writers, &second, report, step_down).await?;

    let ledger = writers.stop().await?;
    let node = &lab.nodes()[primary(lab, &third)?];
    Verdict::read(node, &ledger).await?.report(&ledger, report);
    Ok(())
}

struct Change {
    name: &'static str,
    told: String,
}

impl Change {
    /// Makes the change and measures what proxies and clients see of it. Returns the new route.
    async fn watch(
        self,
        lab: &Lab,
        writers: &Writers,
        old: &Route,
        report: &mut Report,
        change: impl Future<Output = Result<()>>,
    ) -> Result<Route> {
        let start = Instant::now();
        lab.progress().say(&self.told);
        let (changed, agreed) = tokio::join!(change, lab.agreed_route(old.epoch, PATIENCE));
        changed?;
        let (new, took) = agreed?;
        let agreed = shown(took);
        lab.progress()
            .say(format_args!("after {agreed} both proxies name {} (epoch {})", new.upstream, new.epoch));
        writers.wait_rows(ROWS).await?;
        let gap = writers.longest_gap(start);
        lab.progress().say(format_args!("all clients write again; the longest gap was {}", shown(gap)));
        report.millis(&format!("agree_ms_{}", self.name), took);
        report.millis(&format!("write_gap_ms_{}", self.name), gap);
        report.check(took <= AGREE, || format!("{}: the proxies agreed only after {agreed}", self.name));
        report.check(new.upstream != old.upstream, || format!("{}: the primary is the same", self.name));
        Ok(new)
    }
}

fn primary(lab: &Lab, route: &Route) -> Result<usize> {
    lab.node_at(&route.upstream).with_context(|| format!("{} is no node of the lab", route.upstream))
}
