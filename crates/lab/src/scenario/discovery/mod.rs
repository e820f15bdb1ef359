//! Scenario `discovery`: proxies and agents come, go, die and freeze while a real Prometheus asks `/sd` and a file is kept.
//! Both follow; while ZooKeeper is down, and when it comes back, nothing is dropped.

mod file;
mod fleet;
mod prometheus;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::scene::{kill_ensemble, start_ensemble};
use super::{Scenario, in_lab};
use crate::bank::quick;
use crate::example;
use crate::idle::{Idle, SESSION};
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;
use crate::wait::wait_until;
use file::Kept;
use fleet::{Fleet, answer};
use prometheus::{OWN_TIME, Prometheus, REFRESH};

const PROXIES: usize = 8;
const AGENTS: usize = 3;
/// Those that stay: Prometheus asks them.
const ASKED: usize = 2;
/// How long `/sd` may take to say what has happened in ZooKeeper: one reading, on a busy machine.
const ANSWER: Duration = Duration::from_millis(500);
/// On top of everything else, for a busy machine.
const SLACK: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(60);
/// How long ZooKeeper is down: longer than every session.
const DOWN: Duration = Duration::from_secs(10);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "discovery",
    about: "proxies and agents come and go, and a real Prometheus and a file follow",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(Lab::builder().zookeeper(1), &progress, async |lab, report| discover(lab, report).await).await
}

async fn discover(lab: &Lab, report: &mut Report) -> Result<()> {
    let fleet = Fleet::new(lab, PROXIES, AGENTS)?;
    for member in fleet.0.iter().take(ASKED).chain(fleet.0.last()) {
        member.start().await?;
    }
    example::run(lab, "discovery.md").await?;
    let asked: Vec<_> = fleet.0.iter().take(ASKED).map(|member| member.admin).collect();
    let prometheus = Prometheus::start(lab, &asked).await?;
    let file = Kept::start(lab).await?;
    let stage = Stage { lab, fleet, prometheus, file };
    stage.follow(PATIENCE).await?;
    stage.changes(report).await?;
    stage.frozen(report).await?;
    stage.outage(report).await?;
    stage.leave(report).await
}

/// Everything that runs.
struct Stage<'a> {
    lab: &'a Lab,
    fleet: Fleet,
    prometheus: Prometheus,
    file: Kept,
}

/// What is done to a process.
#[derive(Debug, Clone, Copy)]
enum Change {
    Start,
    Stop,
    Kill,
}

/// How long who took to follow.
#[derive(Default)]
struct Took {
    answer: Vec<Duration>,
    targets: Vec<Duration>,
    file: Vec<Duration>,
}

impl Stage<'_> {
    /// One process after another comes or goes.
    async fn changes(&self, report: &mut Report) -> Result<()> {
        let seed = fastrand::u64(..);
        self.lab.progress().say(format_args!("the seed is {seed}"));
        let mut random = fastrand::Rng::with_seed(seed);
        let rounds = if quick() { 6 } else { 40 };
        let (mut asked, mut killed) = (Took::default(), Took::default());
        for _ in 0..rounds {
            let member =
                self.fleet.0.get(random.usize(ASKED..PROXIES + AGENTS)).context("no such process")?;
            let change = match member.process.pid() {
                None => Change::Start,
                Some(_) if random.bool() => Change::Stop,
                Some(_) => Change::Kill,
            };
            let took = if matches!(change, Change::Kill) { &mut killed } else { &mut asked };
            self.change(member, change, took).await?;
        }
        report.count("changes", rounds);
        let most = |took: &[Duration]| took.iter().copied().max().unwrap_or_default();
        report.at_most("answer_ms", most(&asked.answer), ANSWER);
        report.at_most("answer_after_kill_ms", most(&killed.answer), SESSION * 2);
        report.at_most("targets_ms", most(&asked.targets), REFRESH + OWN_TIME + SLACK);
        report.at_most(
            "targets_after_kill_ms",
            most(&killed.targets),
            SESSION * 2 + REFRESH + OWN_TIME + SLACK,
        );
        report.at_most("file_ms", most(&asked.file), SLACK);
        Ok(())
    }

    async fn change(&self, member: &Idle, change: Change, took: &mut Took) -> Result<()> {
        match change {
            Change::Start => member.start().await?,
            Change::Stop => drop(member.process.stop().await?),
            Change::Kill => member.process.kill().await?,
        }
        let start = Instant::now();
        let (answered, kept, followed) =
            tokio::try_join!(self.answered(PATIENCE), self.kept(PATIENCE), self.follow(PATIENCE))?;
        took.answer.push(answered);
        took.file.push(kept);
        took.targets.push(followed);
        let name = member.process.name();
        self.lab.progress().say(format_args!("{name}: {change:?}, all follow after {:?}", start.elapsed()));
        Ok(())
    }

    /// One that stands still loses its session, and is registered again when it goes on.
    async fn frozen(&self, report: &mut Report) -> Result<()> {
        let member = self.fleet.0.get(1).context("no second process")?;
        let first = self.fleet.0.first().context("no process")?.admin;
        member.process.freeze().await?;
        let gone =
            async || answer(first).await.ok().filter(|there| !there.contains(&member.admin.to_string()));
        let (_, took) = wait_until(PATIENCE, "a frozen process is not in the list any more", gone).await?;
        report.at_most("frozen_gone_ms", took, SESSION * 2);
        member.process.thaw()?;
        report.at_most("frozen_back_ms", self.answered(PATIENCE).await?, Duration::from_secs(5));
        self.follow(PATIENCE).await.map(drop)
    }

    /// ZooKeeper is down for longer than every session, and comes back.
    async fn outage(&self, report: &mut Report) -> Result<()> {
        for member in &self.fleet.0 {
            if member.process.pid().is_none() {
                member.start().await?;
            }
        }
        self.follow(PATIENCE).await?;
        self.kept(PATIENCE).await?;
        let (all, told) = (self.fleet.running(), self.file.told());
        let end = async {
            kill_ensemble(self.lab).await?;
            tokio::time::sleep(DOWN).await;
            let admin = self.fleet.0.first().context("no process")?.admin;
            let said = answer(admin).await.err().map(|error| error.to_string()).unwrap_or_default();
            report.check(said.contains("503"), || format!("without ZooKeeper /sd says: {said}"));
            start_ensemble(self.lab).await?;
            for member in &self.fleet.0 {
                member.registered().await?;
            }
            self.answered(PATIENCE).await?;
            // The last of the sessions that were lost have expired by then, and Prometheus has asked again.
            tokio::time::sleep(SESSION * 2 + REFRESH + OWN_TIME).await;
            anyhow::Ok(())
        };
        let lost = self.lost_until(&all, end).await?;
        report.none("targets_lost_in_outage", lost.targets).because(|| "of Prometheus".to_owned());
        report.none("file_entries_lost_in_outage", lost.file);
        report.count("file_changes_in_outage", self.file.told() - told);
        Ok(())
    }

    /// How often a target was missing while `end` has not come.
    async fn lost_until(
        &self,
        all: &BTreeSet<String>,
        end: impl Future<Output = Result<()>>,
    ) -> Result<Lost> {
        let mut end = std::pin::pin!(end);
        let mut lost = Lost::default();
        loop {
            tokio::select! {
                done = &mut end => return done.map(|()| lost),
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
            }
            lost.targets += usize::from(!all.is_subset(&self.prometheus.targets().await?));
            lost.file += usize::from(!all.is_subset(&self.file.targets()?));
        }
    }

    async fn leave(self, report: &mut Report) -> Result<()> {
        for (kind, running) in [("proxy", PROXIES), ("agent", AGENTS)] {
            let up = async || self.prometheus.scraped(kind).await.ok().filter(|up| *up == running);
            let what = format!("Prometheus has scraped {running} of kind {kind}");
            let scraped = wait_until(PATIENCE, &what, up).await.map(|(up, _)| up).unwrap_or_default();
            report.exactly(&format!("{kind}_targets_up"), scraped, running);
        }
        report.count("file_changes", self.file.told());
        report.none("torn_files", self.file.stop().await?);
        self.prometheus.stop().await
    }

    /// Waits until `/sd` names those that run, whoever is asked.
    async fn answered(&self, deadline: Duration) -> Result<Duration> {
        let running = self.fleet.running();
        let answers = async || {
            for member in self.fleet.0.iter().take(ASKED) {
                answer(member.admin).await.ok().filter(|there| *there == running)?;
            }
            Some(())
        };
        wait_until(deadline, "/sd names those that run", answers).await.map(|(_, took)| took)
    }

    /// Waits until Prometheus' targets are those that run.
    async fn follow(&self, deadline: Duration) -> Result<Duration> {
        let running = self.fleet.running();
        let targets = async || self.prometheus.targets().await.ok().filter(|there| *there == running);
        wait_until(deadline, "Prometheus' targets are those that run", targets).await.map(|(_, took)| took)
    }

    /// Waits until the file names those that run.
    async fn kept(&self, deadline: Duration) -> Result<Duration> {
        let running = self.fleet.running();
        let there = async || self.file.targets().ok().filter(|there| *there == running);
        wait_until(deadline, "the file names those that run", there).await.map(|(_, took)| took)
    }
}

/// Looks at which something was missing.
#[derive(Default)]
struct Lost {
    targets: usize,
    file: usize,
}
