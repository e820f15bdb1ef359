//! Scenario `long-transaction`: a step-down while three transactions are open. One commits within the drain's limit of
//! 10 s and comes through; one that would take 60 s, and one whose statement does, are ended at the limit, and it is said
//! why.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tokio::time::sleep;

use super::{Scenario, in_lab};
use crate::bank::{Fault, lab_of_the_issue};
use crate::client;
use crate::galera::APP;
use crate::http;
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;
use crate::wait::wait_until;

/// The limit of the drain.
const LIMIT: Duration = Duration::from_secs(10);
/// How much later a session may be ended: a round of the drain, and a busy machine.
const SLACK: Duration = Duration::from_secs(1);
/// When the second transaction commits.
const IN_TIME: Duration = Duration::from_secs(5);
/// How long the first one would take.
const LONG: Duration = Duration::from_secs(60);
/// Between two statements.
const PACE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "long-transaction",
    about: "a step-down with a 60 s transaction, a drain timeout of 10 s, and one that ends in time",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = lab_of_the_issue().proxy_argument("--drain-timeout=10s");
    in_lab(builder, &progress, async |lab, report| step_down(lab, report).await).await
}

async fn step_down(lab: &Lab, report: &mut Report) -> Result<()> {
    let (route, _) = lab.agreed_route(0, PATIENCE).await?;
    let primary = lab.node_at(&route.upstream).context("the primary is no node of the lab")?;
    lab.nodes()[primary].execute("CREATE TABLE app.long_run (id INT PRIMARY KEY)").await?;
    let [long, sleeping, short] = [begin(lab, 1).await?, begin(lab, 2).await?, begin(lab, 3).await?];
    let at = Instant::now();
    Fault::StepDown.strike(lab, primary)?;
    let (ended, slept, committed) = tokio::join!(busy(long, at), asleep(sleeping, at), commit(short, at));
    Fault::StepDown.mend(lab, primary).await?;
    for (name, (after, error)) in [("busy", &ended), ("sleeping", &slept)] {
        lab.progress().say(format_args!("the {name} session ended after {after:.1?}: {error}"));
        let figure = format!("ended_after_ms_{name}");
        report.at_least(&figure, *after, LIMIT.saturating_sub(PACE)).because(|| error.clone());
        report.at_most(&figure, *after, LIMIT + SLACK).because(|| error.clone());
    }
    report.exactly("completed", usize::from(committed.is_ok()), 1).because(|| format!("{committed:?}"));
    reasons(lab, report).await?;
    rows(lab, report).await
}

/// A session through the first proxy with a transaction that has written a row.
async fn begin(lab: &Lab, id: u32) -> Result<Conn> {
    let proxy = lab.proxies().first().context("no proxy")?;
    let mut conn = client::connect(proxy.address(), APP, APP).await?;
    conn.query_drop("BEGIN").await?;
    conn.query_drop(format!("INSERT INTO app.long_run VALUES ({id})")).await?;
    Ok(conn)
}

/// Statement after statement, until the session is ended: when that was, and what the client was told.
async fn busy(mut conn: Conn, start: Instant) -> (Duration, String) {
    while start.elapsed() < LONG {
        if let Err(error) = conn.query_drop("SELECT COUNT(*) FROM app.long_run").await {
            return (start.elapsed(), error.to_string());
        }
        sleep(PACE).await;
    }
    (start.elapsed(), "it was not ended".to_owned())
}

/// One long statement.
async fn asleep(mut conn: Conn, start: Instant) -> (Duration, String) {
    let slept = conn.query_drop(format!("DO SLEEP({})", LONG.as_secs())).await;
    (start.elapsed(), slept.map_or_else(|error| error.to_string(), |()| "it was not ended".to_owned()))
}

async fn commit(mut conn: Conn, start: Instant) -> Result<(), Error> {
    while start.elapsed() < IN_TIME {
        conn.query_drop("SELECT COUNT(*) FROM app.long_run").await?;
        sleep(PACE).await;
    }
    conn.query_drop("COMMIT").await
}

/// What the proxy says of the ends: two at the limit.
async fn reasons(lab: &Lab, report: &mut Report) -> Result<()> {
    let proxy = lab.proxies().first().context("no proxy")?;
    let (_, metrics) = http::get(proxy.admin(), "/metrics").await?;
    let line =
        metrics.lines().find(|line| line.contains("sessions_ended") && line.contains("\"drain-timeout\""));
    let count: f64 = line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default();
    report.exactly("ended_at_limit", count, 2.0).because(|| "by the reason drain-timeout".to_owned());
    let log = std::fs::read_to_string(proxy.log_path())?;
    report.check(log.contains("drain-timeout"), || "the log does not say drain-timeout".to_owned());
    Ok(())
}

/// Only what was committed is there, once the old primary has seen that the two clients are gone.
async fn rows(lab: &Lab, report: &mut Report) -> Result<()> {
    let node = lab.nodes().first().context("no node")?;
    let only_committed = async || {
        let mut root = node.root().await.ok()?;
        let rows: Vec<u32> = root.query("SELECT id FROM app.long_run").await.ok()?;
        root.disconnect().await.ok()?;
        (rows == [3]).then_some(())
    };
    let there =
        wait_until(PATIENCE, "only the transaction that ended in time is there", only_committed).await;
    report.check(there.is_ok(), || "the rows are not those of the committed transaction alone".to_owned());
    Ok(())
}
