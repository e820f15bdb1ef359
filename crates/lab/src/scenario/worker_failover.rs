//! Scenario `worker-failover`: the host whose turn it is dies, freezes, is cut off from ZooKeeper, or is asked to stop, by
//! turns. Never do two commands run at once, whatever a host that goes on later remembers, and the next one runs soon.

use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal};

use super::{Scenario, in_lab};
use crate::bank::quick;
use crate::lab::Lab;
use crate::progress::{Progress, shown};
use crate::report::Report;
use crate::wait::wait_until;
use crate::workers::{self, Host, Run, now};

/// Rounds, and in a quick run: each kind of trouble once.
const ROUNDS: usize = 50;
const HOSTS: usize = 3;
/// The session timeout, with a tick of 0.5 s.
const SESSION: Duration = Duration::from_secs(2);
/// The next command runs within the session timeout and this.
const MORE: Duration = Duration::from_secs(1);
/// The same after a host was asked to stop: its command ends, its znode is deleted, the next one starts.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long everything waits for what should take seconds.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "worker-failover",
    about: "the host of a worker dies, freezes, is cut off, is stopped, 50 times: never two run, the next one soon",
    run: |progress| Box::pin(run(progress)),
};

/// What happens to the host whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// Everything on it is killed at once.
    Dies,
    /// Only capitana's own process is killed.
    LosesCapitana,
    /// Only the guard is killed.
    LosesGuard,
    /// Everything on it stands still, and goes on when the next one runs.
    Freezes,
    /// Only capitana's own process stands still.
    CapitanaFreezes,
    /// It is cut off from ZooKeeper, and comes back when the next one runs.
    IsCut,
    /// It is asked to stop.
    IsStopped,
}

const TROUBLES: [Trouble; 7] = [
    Trouble::Dies,
    Trouble::Freezes,
    Trouble::IsCut,
    Trouble::CapitanaFreezes,
    Trouble::LosesCapitana,
    Trouble::IsStopped,
    Trouble::LosesGuard,
];

async fn run(progress: Progress) -> Result<Report> {
    let builder = Lab::builder().zookeeper(3);
    in_lab(builder, &progress, async |lab, report| fail_over(lab, report).await).await
}

async fn fail_over(lab: &Lab, report: &mut Report) -> Result<()> {
    let beacon = workers::install(lab)?;
    let mut hosts = Vec::new();
    for index in 0..HOSTS {
        // Every other command does not listen to SIGTERM.
        let manners = if index % 2 == 0 { "polite" } else { "stubborn" };
        let arguments = ["--name", "failover", "--grace", "300ms"];
        let command = ["python3", &beacon, "{beacons}", manners];
        hosts.push(Host::new(lab, index, SESSION, &arguments, &command).await?);
    }
    for host in &hosts {
        host.process().start().await?;
        host.wait_in_line().await?;
    }
    let (mut gaps, mut at_once, mut lived) = (Vec::new(), Vec::new(), 0);
    let rounds = if quick() { TROUBLES.len() } else { ROUNDS };
    for trouble in TROUBLES.into_iter().cycle().take(rounds) {
        let outcome = round(&hosts, trouble).await.with_context(|| format!("when it {trouble:?}"))?;
        let gap = outcome.gap;
        lived += usize::from(outcome.lived && trouble == Trouble::Freezes);
        lab.progress().say(format_args!("{trouble:?}: the next runs {} later", shown(gap)));
        match trouble {
            Trouble::IsStopped => at_once.push(gap),
            Trouble::LosesGuard => {}
            _ => gaps.push(gap),
        }
    }
    // Nothing of such a host has run meanwhile: the kernel has ended its command all the same.
    report.none("frozen_commands_that_lived", lived);
    judge(&hosts, &mut gaps, &mut at_once, report)
}

/// What came of one trouble.
struct Outcome {
    /// How long after it the next command ran.
    gap: Duration,
    /// Whether the command before lived then.
    lived: bool,
}

async fn round(hosts: &[Host], trouble: Trouble) -> Result<Outcome> {
    let (holder, _) = wait_until(PATIENCE, "a command runs", async || running(hosts)).await?;
    let host = &hosts[holder.host];
    let began = now();
    let family = match trouble {
        Trouble::Dies => host.signal_all(Signal::KILL),
        Trouble::Freezes => host.signal_all(Signal::STOP),
        Trouble::LosesCapitana => host.process().kill().await.map(|()| Vec::new())?,
        Trouble::CapitanaFreezes => host.process().signal(Signal::STOP).map(|()| Vec::new())?,
        Trouble::LosesGuard => {
            let guard = *host.family().get(1).context("there is no guard")?;
            rustix::process::kill_process(guard, Signal::KILL)?;
            Vec::new()
        }
        Trouble::IsCut => {
            host.door().cut();
            Vec::new()
        }
        Trouble::IsStopped => host.process().stop().await.map(|_| Vec::new())?,
    };
    let next = async || runs(hosts).into_iter().find(|run| run.first > began && run.pid != holder.pid);
    let (next, _) = wait_until(PATIENCE, "the next command runs", next).await?;
    let lived = Pid::from_raw(holder.pid).is_some_and(workers::is_alive);
    // In the order in which they were started: whoever goes on first must not be late for its own command.
    workers::send(&family, Signal::CONT);
    restore(host, trouble).await?;
    Ok(Outcome { gap: next.first.saturating_sub(began), lived })
}

async fn restore(host: &Host, trouble: Trouble) -> Result<()> {
    match trouble {
        Trouble::Dies | Trouble::LosesCapitana | Trouble::IsStopped => {
            host.process().wait_exit(PATIENCE).await?;
            host.process().start().await?;
        }
        Trouble::CapitanaFreezes => host.process().thaw()?,
        Trouble::IsCut => host.door().heal(),
        Trouble::Freezes | Trouble::LosesGuard => {}
    }
    host.wait_in_line().await
}

/// The command that has said last that it runs, if that was a moment ago.
fn running(hosts: &[Host]) -> Option<Run> {
    let last = runs(hosts).into_iter().max_by_key(|run| run.last)?;
    (now().saturating_sub(last.last) < Duration::from_millis(100)).then_some(last)
}

fn runs(hosts: &[Host]) -> Vec<Run> {
    hosts.iter().enumerate().flat_map(|(index, host)| host.runs(index).unwrap_or_default()).collect()
}

fn judge(hosts: &[Host], gaps: &mut [Duration], at_once: &mut [Duration], report: &mut Report) -> Result<()> {
    let mut runs = runs(hosts);
    runs.sort_by_key(|run| run.first);
    let overlaps: Vec<_> = runs.windows(2).filter(|pair| pair[1].first <= pair[0].last).collect();
    report.none("two_at_once", overlaps.len()).because(|| format!("{:?}", overlaps[0]));
    // A guard that was killed costs nobody the turn: the same host runs its command again, with its token.
    let falls = runs.windows(2).filter(|pair| pair[1].token < pair[0].token).count();
    report.none("tokens_that_fell", falls);
    report.count("runs", runs.len());
    gaps.sort();
    at_once.sort();
    report.millis("next_runs_p50_ms", gaps[gaps.len() / 2]);
    report.at_most("next_runs_ms", *gaps.last().context("no gaps")?, SESSION + MORE);
    report.at_most("next_runs_when_stopped_ms", *at_once.last().context("nobody was stopped")?, AT_ONCE);
    Ok(())
}
