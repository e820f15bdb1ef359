//! Scenario `worker-fencing`: a worker's host freezes with a transaction half done, its session expires, another host takes
//! over and commits on another node, and the first one goes on, its database client before everything else. What it still
//! tries to commit under the guard is refused, by certification or by the token.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use rustix::process::{Signal, kill_process};

use super::{Scenario, in_lab};
use crate::bank::quick;
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;
use crate::venv;
use crate::wait::wait_until;
use crate::workers::{self, Host};

/// Freezes, and in a quick run.
const ROUNDS: usize = 20;
const ROUNDS_QUICKLY: usize = 3;
const SESSION: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);
const NAME: &str = "fencing";
const SCRIPT: (&str, &str) = ("guarded.py", include_str!("../../python/guarded.py"));
const TABLES: [&str; 4] = [
    "CREATE TABLE app.worker_guard (name VARCHAR(64) PRIMARY KEY, token BIGINT NOT NULL, uses BIGINT NOT NULL)",
    "INSERT INTO app.worker_guard VALUES ('fencing', 0, 0)",
    "CREATE TABLE app.work (uses BIGINT PRIMARY KEY, token BIGINT NOT NULL)",
    "CREATE TABLE app.unguarded (id BIGINT AUTO_INCREMENT PRIMARY KEY, token BIGINT NOT NULL, at TIMESTAMP(6))",
];

pub(super) const SCENARIO: Scenario = Scenario {
    name: "worker-fencing",
    about: "a worker freezes with a transaction half done and goes on when another has its turn: none of it commits",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let interpreter = venv::python(&progress).await?;
    let builder = Lab::builder().galera(2).zookeeper(1);
    let body = async |lab: &Lab, report: &mut Report| fence(lab, &interpreter, report).await;
    in_lab(builder, &progress, body).await
}

/// A host and what its command has said.
struct Worker {
    host: Host,
    said: PathBuf,
}

async fn fence(lab: &Lab, interpreter: &std::path::Path, report: &mut Report) -> Result<()> {
    let node = lab.nodes().first().context("no node")?;
    for statement in TABLES {
        node.execute(statement).await?;
    }
    let workers = start(lab, interpreter).await?;
    let rounds = if quick() { ROUNDS_QUICKLY } else { ROUNDS };
    let mut lived = 0;
    for round in 0..rounds {
        lived += usize::from(freeze(lab, &workers, round).await?);
    }
    report.count("clients_that_went_on", lived);
    for worker in &workers {
        worker.host.process().stop().await?;
    }
    audit(lab, &workers, report).await
}

async fn start(lab: &Lab, interpreter: &std::path::Path) -> Result<Vec<Worker>> {
    let script = venv::install_scripts(lab.slot().directory(), &[SCRIPT])?.join(SCRIPT.0);
    let mut workers = Vec::new();
    for (index, node) in lab.nodes().iter().enumerate() {
        let said = lab.slot().directory().join(format!("said{index}"));
        let (host, port) = (node.address().ip(), node.address().port());
        // A shell between: the kernel ends the command itself in time, and what the command has started lives on with the
        // frozen host. That is the client that goes on here.
        let client =
            format!("{} {} {host} {port} {}; true", interpreter.display(), script.display(), said.display());
        let arguments = ["--name", NAME];
        let host = Host::new(lab, index, SESSION, &arguments, &["sh", "-c", &client]).await?;
        host.process().start().await?;
        host.wait_in_line().await?;
        workers.push(Worker { host, said });
    }
    Ok(workers)
}

/// Answers whether the client went on.
async fn freeze(lab: &Lab, workers: &[Worker], round: usize) -> Result<bool> {
    let holder = async || workers.iter().position(Worker::is_half_done);
    let (index, _) = wait_until(PATIENCE, "a transaction is half done", holder).await?;
    let (worker, other) = (&workers[index], &workers[1 - index]);
    let family = worker.host.signal_all(Signal::STOP);
    let client = *family.last().context("no client")?;
    let before = worker.last_token()?;
    let next = async || {
        let (token, what) = other.last()?;
        (token > before && what == "committed").then_some(token)
    };
    let (next, took) = wait_until(PATIENCE, "the next worker has committed", next).await?;
    lab.progress().say(format_args!(
        "round {round}: frozen with token {before}, token {next} commits {took:.1?} later"
    ));
    let lives = workers::is_alive(client);
    kill_process(client, Signal::CONT).ok();
    let said = async || (!lives || !worker.is_half_done()).then_some(());
    let heard = wait_until(Duration::from_secs(2), "the client has gone on", said).await;
    lab.progress().say(format_args!("its client went on: {:?}", worker.last()));
    workers::send(&family, Signal::CONT);
    worker.host.wait_in_line().await?;
    Ok(lives && heard.is_ok())
}

impl Worker {
    fn last(&self) -> Option<(i64, String)> {
        let said = fs::read_to_string(&self.said).ok()?;
        let (token, what) = said.lines().last()?.split_once(' ')?;
        Some((token.parse().ok()?, what.to_owned()))
    }

    fn last_token(&self) -> Result<i64> {
        self.last().map(|(token, _)| token).context("a worker has said nothing")
    }

    /// Whether its command is in the middle of a transaction, and has been a moment ago.
    fn is_half_done(&self) -> bool {
        self.last().is_some_and(|(_, what)| what == "half-done")
    }

    fn said(&self, what: &str) -> usize {
        let said = fs::read_to_string(&self.said).unwrap_or_default();
        said.lines().filter(|line| line.contains(what)).count()
    }
}

/// Every transaction under the guard has counted its use: in the order of these the tokens never fall.
async fn audit(lab: &Lab, workers: &[Worker], report: &mut Report) -> Result<()> {
    let mut session = lab.nodes().first().context("no node")?.root().await?;
    session.query_drop("SET SESSION wsrep_sync_wait = 1").await?;
    let work: Vec<(i64, i64)> = session.query("SELECT uses, token FROM app.work ORDER BY uses").await?;
    let late = work.windows(2).filter(|pair| pair[1].1 < pair[0].1).count();
    report.none("late_commits", late);
    let missing = work.windows(2).filter(|pair| pair[1].0 != pair[0].0 + 1).count();
    report.none("uses_without_their_work", missing);
    report.count("commits", work.len());
    let sum = |what: &str| workers.iter().map(|worker| worker.said(what)).sum::<usize>();
    let failed = sum("failed");
    report.count("failed_by_certification", failed);
    report.count("refused_by_token", sum("refused"));
    let unguarded: Vec<i64> = session.query("SELECT token FROM app.unguarded").await?;
    report.at_least("late_without_the_guard", unguarded.len(), 1);
    report.check(failed > 0, || "no stale transaction was ever tried".to_owned());
    session.disconnect().await?;
    Ok(())
}
