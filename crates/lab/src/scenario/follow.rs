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
    let mut stage = Stage { lab, writers, report };

    let crashed = primary(lab, &first)?;
    lab.progress().say(format_args!("mariadbd of {} is killed", first.upstream));
    let second = stage.change("kill", &first, lab.nodes()[crashed].kill()).await?;

    let leaving = primary(lab, &second)?;
    ensure!(leaving != crashed, "the killed node is the primary again");
    lab.progress().say(format_args!("{} is told to step down", second.upstream));
    let step_down = async { lab.agents()[leaving].stop().await.map(drop) };
    let third = stage.change("step_down", &second, step_down).await?;

    let ledger = stage.writers.stop().await?;
    let node = &lab.nodes()[primary(lab, &third)?];
    Verdict::read(node, &ledger).await?.report(&ledger, stage.report);
    Ok(())
}

struct Stage<'a> {
    lab: &'a Lab,
    writers: Writers,
    report: &'a mut Report,
}

impl Stage<'_> {
    /// Makes the change and measures what proxies and clients see of it. Returns the new route.
    async fn change(
        &mut self,
        name: &str,
        old: &Route,
        change: impl Future<Output = Result<()>>,
    ) -> Result<Route> {
        let start = Instant::now();
        let (changed, agreed) = tokio::join!(change, self.lab.agreed_route(old.epoch, PATIENCE));
        changed?;
        let (new, took) = agreed?;
        let (say, after) = (self.lab.progress(), shown(took));
        say.say(format_args!("after {after} both proxies name {} (epoch {})", new.upstream, new.epoch));
        self.writers.wait_rows(ROWS).await?;
        let gap = self.writers.longest_gap(start);
        say.say(format_args!("all clients write again; the longest gap was {}", shown(gap)));
        self.report.millis(&format!("agree_ms_{name}"), took);
        self.report.millis(&format!("write_gap_ms_{name}"), gap);
        self.report.check(took <= AGREE, || format!("{name}: the proxies agreed only after {after}"));
        self.report.check(new.upstream != old.upstream, || format!("{name}: the primary is the same"));
        Ok(new)
    }
}

fn primary(lab: &Lab, route: &Route) -> Result<usize> {
    lab.node_at(&route.upstream).with_context(|| format!("{} is no node of the lab", route.upstream))
}
