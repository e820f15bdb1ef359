//! Scenario `mariadb-frozen`: the primary's mariadbd stands still for a while, its connections open, and goes on then.
//! Another leads in time, and nobody reads old rows through a proxy when the old one is back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;

use super::{Scenario, in_lab};
use crate::bank::{Fault, Stage, lab_of_the_issue, quick};
use crate::client;
use crate::galera::APP;
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;

const NEXT_PRIMARY: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(60);
/// How long reads are watched once the server goes on.
const WATCHED: Duration = Duration::from_secs(10);
/// Between two reads of one reader.
const PACE: Duration = Duration::from_millis(5);
/// Readers on each proxy.
const READERS: usize = 4;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "mariadb-frozen",
    about: "the primary's mariadbd stands still for 30 s and goes on: the next leads in time, no old row is read",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(lab_of_the_issue(), &progress, async |lab, report| freeze(lab, report).await).await
}

async fn freeze(lab: &Lab, report: &mut Report) -> Result<()> {
    let frozen = Duration::from_secs(if quick() { 8 } else { 30 });
    lab.nodes()[0].execute("CREATE TABLE app.last (id INT PRIMARY KEY, n BIGINT NOT NULL)").await?;
    lab.nodes()[0].execute("INSERT INTO app.last VALUES (1, 0)").await?;
    let mut stage = Stage::enter(lab).await?;
    let (old, epoch, start) = (stage.primary()?, stage.route.epoch, Instant::now());
    let (seen, next) = tokio::join!(stage.lose(Fault::Frozen, report), lab.agreed_primary(epoch, PATIENCE));
    let (_, took) = next?;
    report.millis("write_gap_ms", seen?.gap);
    report.at_most("next_primary_ms", took, NEXT_PRIMARY);

    tokio::time::sleep(frozen.saturating_sub(start.elapsed())).await;
    let reads = Reads::start(lab)?;
    Fault::Frozen.mend(lab, old).await?;
    lab.progress().say(format_args!("{} goes on", lab.nodes()[old].name()));
    tokio::time::sleep(WATCHED).await;
    reads.report(report);
    let (route, _) = lab.agreed_route(0, PATIENCE).await?;
    // Where Galera takes the whole cluster out of its primary component for a moment when the node returns, nobody can lead
    // meanwhile and who comes first afterwards leads: that is Galera's, and told.
    report.count("changes_after_the_return", usize::from(route != stage.route));
    stage.leave(report).await
}

/// One client that writes a number that grows, through the first proxy, and several that read it on new connections
/// through all of them.
struct Reads {
    _tasks: JoinSet<()>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    acknowledged: AtomicU64,
    reads: AtomicU64,
    stale: Mutex<Vec<String>>,
}

impl Reads {
    fn start(lab: &Lab) -> Result<Self> {
        let (seen, mut tasks) = (Arc::<Seen>::default(), JoinSet::new());
        let first = lab.proxies().first().context("the lab has no proxy")?.address();
        let writer = Arc::clone(&seen);
        tasks.spawn(async move {
            while let Ok(mut conn) = client::connect(first, APP, APP).await {
                let mut next = writer.acknowledged.load(Ordering::SeqCst) + 1;
                while conn.query_drop(format!("UPDATE app.last SET n = {next}")).await.is_ok() {
                    writer.acknowledged.store(next, Ordering::SeqCst);
                    next += 1;
                }
            }
        });
        for proxy in lab.proxies().iter().cycle().take(READERS * lab.proxies().len()) {
            let (address, reader) = (proxy.address(), Arc::clone(&seen));
            tasks.spawn(async move {
                loop {
                    let before = reader.acknowledged.load(Ordering::SeqCst);
                    if let Ok(mut conn) = client::connect(address, APP, APP).await
                        && let Ok(Some(n)) = conn.query_first::<u64, _>("SELECT n FROM app.last").await
                    {
                        reader.read(before, n);
                    }
                    tokio::time::sleep(PACE).await;
                }
            });
        }
        Ok(Self { _tasks: tasks, seen })
    }

    fn report(&self, report: &mut Report) {
        let stale = self.seen.stale.lock().unwrap_or_else(PoisonError::into_inner);
        let reads = self.seen.reads.load(Ordering::SeqCst);
        report.at_least("reads_after_return", f64::from(u32::try_from(reads).unwrap_or(u32::MAX)), 100.0);
        report.none("stale_reads_after_return", stale.len()).because(|| stale[0].clone());
    }
}

impl Seen {
    fn read(&self, before: u64, n: u64) {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if n < before {
            let what = format!("{n}, when {before} was acknowledged before the connection was opened");
            self.stale.lock().unwrap_or_else(PoisonError::into_inner).push(what);
        }
    }
}
