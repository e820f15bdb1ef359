//! Scenario `soak` and `lab soak`: a mixed load with failovers, for as long as one likes. What the proxy holds does not
//! grow once it has warmed up.
//!
//! The primary of two servers changes, by real elections, with every agent that is stopped or server that is killed. They
//! replicate nothing: the load only asks. What it does is in `load`, the judgement of growth in `growth`.

mod growth;
mod load;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::time::sleep;

use self::growth::{Held, growth};
use self::load::Load;
use super::data_path::kernel;
use super::{Scenario, in_lab};
use crate::bank::quick;
use crate::bench::processes::{memory_of_group, raise_descriptor_limit};
use crate::daemon::Proxy;
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;
use crate::status::Route;
use crate::wait::wait_until;

const TIME: Duration = Duration::from_secs(600);
const TIME_QUICKLY: Duration = Duration::from_secs(60);
/// Of the time; the rest is judged. Pools fill and the allocator finds its size.
const WARM_UP: f64 = 0.3;
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(500);
/// Time from one failover to the next.
const FAILOVER: Duration = Duration::from_secs(15);
/// For a failover, and for a server to come back.
const PATIENCE: Duration = Duration::from_secs(60);
/// A session whose server has ended is closed 5 s later at the latest; a busy machine may take longer.
const GRACE: Duration = Duration::from_secs(15);
/// What the issue allows.
const MOST_GROWTH_PERCENT: f64 = 5.0;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "soak",
    about: "10 minutes of mixed load with failovers, slow readers and aborts: what the proxy holds grows by 5 % at most",
    run: |progress| Box::pin(run(progress, if quick() { TIME_QUICKLY } else { TIME })),
};

/// The same for another time.
///
/// # Errors
/// The lab does not come up or cannot be ended.
pub async fn run(progress: Progress, time: Duration) -> Result<Report> {
    raise_descriptor_limit();
    let builder = Lab::builder().plain().galera(2).zookeeper(1).agents(true).proxies(1);
    in_lab(builder, &progress, async |lab, report| soak(lab, time, report).await).await
}

async fn soak(lab: &Lab, time: Duration, report: &mut Report) -> Result<()> {
    let proxy = lab.proxies().first().context("the lab has no proxy")?;
    candidates(proxy).await?;
    let seed = fastrand::u64(..1_000_000);
    lab.progress().say(format_args!("{} s of load from seed {seed}", time.as_secs()));
    let load = Load::start(proxy.address(), seed);
    let deadline = Instant::now() + time;
    let (samples, failovers) = tokio::join!(watch(lab, proxy, deadline), trouble(lab, proxy, deadline));
    let done = load.end().await?;
    let (samples, failovers) = (samples?, failovers?);

    report.count("samples", samples.len());
    report.at_least("failovers", failovers, 1);
    report.at_least("questions", done.questions, 1);
    report.at_least("connections", done.connections, 1);
    report.at_least("aborts", done.aborts, 1);
    report.at_least("slow_reads", done.slow_reads, 1);
    report.count("broken_sessions", done.broken);
    for (name, percent) in growth(&samples, WARM_UP).context("there are too few samples to judge")? {
        report.at_most(name, percent, MOST_GROWTH_PERCENT);
    }
    at_rest(lab, proxy, report).await
}

/// What is left once nobody is there any more.
async fn at_rest(lab: &Lab, proxy: &Proxy, report: &mut Report) -> Result<()> {
    let servers = servers(lab);
    let half_closed = || kernel::half_closed(proxy.address(), &servers);
    let nothing = async || {
        let empty = proxy.status().await.ok()?.sessions.active == 0;
        (empty && half_closed().ok()?.all() == 0).then_some(())
    };
    // What is left then is judged below.
    let _ = wait_until(GRACE, "the proxy has no session", nothing).await;
    report.none("sessions_left", usize::try_from(proxy.status().await?.sessions.active)?);
    report.none("left_in_close_wait", half_closed()?.close_wait);
    Ok(())
}

fn servers(lab: &Lab) -> Vec<SocketAddr> {
    lab.nodes().iter().map(|node| node.address()).collect()
}

/// What the proxy holds, again and again until the deadline.
async fn watch(lab: &Lab, proxy: &Proxy, deadline: Instant) -> Result<Vec<Held>> {
    let (servers, pid) = (servers(lab), proxy.pid().context("the proxy does not run")?);
    let mut samples = Vec::new();
    while Instant::now() < deadline {
        samples.push(Held {
            rss_kb: memory_of_group(pid)?.rss,
            descriptors: kernel::descriptors(pid)? as u64,
            threads: kernel::threads(pid)? as u64,
            sessions: proxy.status().await.map_or(0, |status| status.sessions.active),
            close_wait: kernel::half_closed(proxy.address(), &servers)?.close_wait as u64,
        });
        sleep(LOOK).await;
    }
    Ok(samples)
}

/// Failovers until the deadline, by turns a step-down and a crash: how many.
async fn trouble(lab: &Lab, proxy: &Proxy, deadline: Instant) -> Result<usize> {
    let mut failovers = 0;
    sleep(FAILOVER).await;
    while Instant::now() + FAILOVER < deadline {
        let (route, _) = lab.agreed_route(0, PATIENCE).await?;
        let index = lab.node_at(&route.upstream).context("the primary is no node of the lab")?;
        if failovers % 2 == 0 {
            lab.agents()[index].stop().await?;
            next(lab, &route).await?;
            lab.agents()[index].start().await?;
        } else {
            lab.nodes()[index].kill().await?;
            next(lab, &route).await?;
            lab.nodes()[index].start().await?;
        }
        candidates(proxy).await?;
        failovers += 1;
        lab.progress().say(format_args!("failover {failovers} is over"));
        sleep(FAILOVER).await;
    }
    Ok(failovers)
}

async fn next(lab: &Lab, before: &Route) -> Result<()> {
    lab.agreed_route(before.epoch, PATIENCE).await.map(drop)
}

/// Waits until both servers can lead.
async fn candidates(proxy: &Proxy) -> Result<()> {
    let both = async || (proxy.status().await.ok()?.election.members.len() == 2).then_some(());
    wait_until(PATIENCE, "both servers are candidates", both).await.map(drop)
}
