//! Scenario `worker-herd`: 200 candidates stand in line, and the one whose turn it is leaves: asked to stop, then killed.
//! ZooKeeper itself counts the notifications that it sends.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;
use zookeeper_client::Client;

use super::{Scenario, in_lab};
use crate::bank::quick;
use crate::daemon;
use crate::lab::Lab;
use crate::process::Process;
use crate::progress::{Progress, shown};
use crate::report::Report;
use crate::wait::wait_until;
use crate::zookeeper::ZooKeeper;

const CANDIDATES: usize = 200;
const CANDIDATES_QUICKLY: usize = 30;
/// Started at once: each reads the whole line when it comes.
const BATCH: usize = 20;
/// Long, as many share one machine.
const SESSION: &str = "10s";
const LINE: &str = "/workers/herd";
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "worker-herd",
    about: "200 candidates for one turn, and the first leaves: ZooKeeper sends one notification",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = Lab::builder().zookeeper(1);
    in_lab(builder, &progress, async |lab, report| leave(lab, report).await).await
}

async fn leave(lab: &Lab, report: &mut Report) -> Result<()> {
    let zookeeper = lab.zookeepers().first().context("no ZooKeeper")?;
    let client = Client::connector().connect(&lab.zookeeper()).await?;
    let line = Line { client, candidates: start(lab).await? };
    let count = line.candidates.len();
    report.count("candidates", count);
    for (name, signal) in [("stopped", Signal::TERM), ("killed", Signal::KILL)] {
        let before = notifications(zookeeper).await?;
        let (first, left) = line.first().await?;
        first.signal(signal)?;
        let gone = async || (line.names().await.ok()?.len() < left).then_some(());
        let (_, took) = wait_until(PATIENCE, "the first candidate is gone", gone).await?;
        let next = line.runs(first.name()).await?;
        let sent = notifications(zookeeper).await? - before;
        lab.progress().say(format_args!(
            "{} was {name} and gone after {}; {next} runs; {sent} sent",
            first.name(),
            shown(took)
        ));
        report.exactly(&format!("notifications_when_{name}"), sent, 1);
    }
    Ok(())
}

async fn start(lab: &Lab) -> Result<Vec<Process>> {
    let program = daemon::program()?;
    let wanted = if quick() { CANDIDATES_QUICKLY } else { CANDIDATES };
    let mut candidates = Vec::new();
    for index in 0..wanted {
        let (program, zookeeper) = (program.clone(), lab.zookeeper());
        let name = format!("candidate{index}");
        let node = name.clone();
        let process = lab.process(&name, move || {
            let mut command = Command::new(&program);
            command.args(["worker", "--name", "herd", "--zookeeper", &zookeeper, "--node-name", &node]);
            command.args(["--zookeeper-session-timeout", SESSION, "--", "sleep", "infinity"]);
            Ok(command)
        })?;
        process.start().await?;
        candidates.push(process);
        if candidates.len().is_multiple_of(BATCH) || candidates.len() == wanted {
            all_in_line(lab, candidates.len()).await?;
        }
    }
    Ok(candidates)
}

/// Everybody has read the line and left its watches: two each, with that on its place in the list of services.
async fn all_in_line(lab: &Lab, count: usize) -> Result<()> {
    let zookeeper = lab.zookeepers().first().context("no ZooKeeper")?;
    let all = async || (figure(zookeeper, "zk_watch_count").await.ok()? >= 2 * count).then_some(());
    wait_until(PATIENCE, &format!("{count} candidates stand in line"), all).await?;
    lab.progress().say(format_args!("{count} candidates stand in line"));
    Ok(())
}

struct Line {
    client: Client,
    candidates: Vec<Process>,
}

impl Line {
    /// The names, in the order of their creation: of one parent, that is the order of the names.
    async fn names(&self) -> Result<Vec<String>> {
        let mut names = self.client.list_children(LINE).await?;
        names.sort();
        Ok(names)
    }

    /// Whose turn it is, and how many stand in line.
    async fn first(&self) -> Result<(&Process, usize)> {
        let names = self.names().await?;
        let first = names.first().context("nobody is in line")?;
        let (data, _) = self.client.get_data(&format!("{LINE}/{first}")).await?;
        let data: serde_json::Value = serde_json::from_slice(&data)?;
        let node = data["node"].as_str().context("a candidate without a name")?.to_owned();
        let process = self.candidates.iter().find(|candidate| candidate.name() == node);
        Ok((process.with_context(|| format!("{node} is no candidate"))?, names.len()))
    }

    /// Waits until another than `before` runs its command, and answers who.
    async fn runs(&self, before: &str) -> Result<String> {
        let runs = async || {
            let (first, _) = self.first().await.ok().filter(|(first, _)| first.name() != before)?;
            let log = std::fs::read_to_string(first.log_path()).ok()?;
            log.contains("starting the command").then(|| first.name().to_owned())
        };
        Ok(wait_until(PATIENCE, "the next command runs", runs).await?.0)
    }
}

/// Every notification that a watch has made ZooKeeper send, of whatever kind.
async fn notifications(zookeeper: &ZooKeeper) -> Result<usize> {
    let mut sum = 0;
    for kind in ["deleted", "children", "changed"] {
        sum += figure(zookeeper, &format!("zk_sum_node_{kind}_watch_count")).await?;
    }
    Ok(sum)
}

async fn figure(zookeeper: &ZooKeeper, name: &str) -> Result<usize> {
    let figures = zookeeper.figures().await?;
    let line = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
    let value: f64 = line.with_context(|| format!("ZooKeeper says nothing of {name}"))?.trim().parse()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
    Ok(value as usize)
}
