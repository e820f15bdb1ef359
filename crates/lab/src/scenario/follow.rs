//! Scenario `follow`: clients write through two proxies and follow the primary, when it crashes and when it steps down.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Scenario, in_lab};
use crate::http;
use crate::lab::Lab;
use crate::load::{Verdict, Writers};
use crate::progress::{Progress, shown};
use crate::report::Report;
use crate::status::Route;
use crate::wait::wait_until;

const CLIENTS: usize = 20;
/// Rows of each client before, between and after the changes.
const ROWS: u64 = 25;
/// Both proxies have to name the new primary this long after a change, at the latest.
const AGREE: Duration = Duration::from_secs(1);
/// How long it is waited for that: a proxy that is late is measured, too.
const PATIENCE: Duration = Duration::from_secs(30);
/// Why a session ended, where a proxy ended it because another primary leads.
const FOR_A_CHANGE: [&str; 3] = ["epoch-ended", "drained", "drain-timeout"];

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
    let before = ended_for_a_change(lab).await?;
    let third = stage.change("step_down", &second, step_down).await?;
    stage.old_sessions_ended(before).await?;

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
        let (changed, agreed) = tokio::join!(change, self.lab.agreed_primary(old.epoch, PATIENCE));
        changed?;
        let (new, took) = agreed?;
        let (say, after) = (self.lab.progress(), shown(took));
        say.say(format_args!("after {after} both proxies name {} (epoch {})", new.upstream, new.epoch));
        self.writers.wait_rows(ROWS).await?;
        let gap = self.writers.longest_gap(start);
        say.say(format_args!("all clients write again; the longest gap was {}", shown(gap)));
        self.report.at_most(&format!("agree_ms_{name}"), took, AGREE);
        self.report.millis(&format!("write_gap_ms_{name}"), gap);
        self.report.check(new.upstream != old.upstream, || format!("{name}: the primary is the same"));
        Ok(new)
    }

    /// A server that steps down goes on: nobody but the proxies ends its sessions, and each client had one.
    async fn old_sessions_ended(&mut self, before: usize) -> Result<()> {
        let grown = async || {
            let ended = ended_for_a_change(self.lab).await.ok()?.saturating_sub(before);
            (ended >= CLIENTS).then_some(())
        };
        // In vain is a finding, not an error: how many there were is said below.
        let _ = wait_until(PATIENCE, "the sessions of the old primary have ended", grown).await;
        let ended = ended_for_a_change(self.lab).await?.saturating_sub(before);
        self.report
            .exactly("ended_by_proxies_step_down", ended, CLIENTS)
            .because(|| format!("the old primary had {CLIENTS} sessions"));
        Ok(())
    }
}

/// How many sessions the proxies have ended so far because another primary leads.
async fn ended_for_a_change(lab: &Lab) -> Result<usize> {
    let mut ended = 0;
    for proxy in lab.proxies() {
        let (_, metrics) = http::get(proxy.admin(), "/metrics").await?;
        ended += metrics.lines().filter_map(counted).sum::<usize>();
    }
    Ok(ended)
}

/// The value of a line of `/metrics` that counts such sessions.
fn counted(line: &str) -> Option<usize> {
    let labels = line.strip_prefix("capitana_sessions_ended_total{reason=\"")?;
    let (reason, value) = labels.split_once("\",role=\"primary\"} ")?;
    FOR_A_CHANGE.contains(&reason).then(|| value.parse().ok()).flatten()
}

fn primary(lab: &Lab, route: &Route) -> Result<usize> {
    lab.node_at(&route.upstream).with_context(|| format!("{} is no node of the lab", route.upstream))
}
