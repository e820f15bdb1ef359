//! Scenario `replicas`: clients read through the proxies' second listener while members leave, come back, become the
//! primary, feed another node, and one crashes. What they meet, where they are, and how evenly they are spread; `watch`
//! looks.

mod watch;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use super::{Scenario, in_lab};
use crate::bank::{Bank, quick};
use crate::daemon::Proxy;
use crate::lab::Lab;
use crate::load::{Readers, Readings};
use crate::progress::{Progress, shown};
use crate::report::Report;
use crate::scenario::donor;
use crate::wait::wait_until;
use watch::{Watch, imbalance, led_to, registrations};

/// Clients that read.
const READERS: usize = 60;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the spread is looked at.
const LOOKED: Duration = Duration::from_secs(4);
const LOOKED_QUICKLY: Duration = Duration::from_secs(2);
/// How far a node's sessions may be from the mean.
const IMBALANCE_PERCENT: f64 = 10.0;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "replicas",
    about: "60 clients read on the replica port while members leave, come, lead, feed another node and crash",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = Lab::builder().galera(3).zookeeper(1).agents(true).proxies(2);
    in_lab(builder, &progress, async |lab, report| replicas(lab, report).await).await
}

async fn replicas(lab: &Lab, report: &mut Report) -> Result<()> {
    let (route, _) = lab.agreed_route(0, PATIENCE).await?;
    let primary = lab.node_at(&route.upstream).context("the primary is no node of the lab")?;
    Bank::prepare(&lab.nodes()[primary]).await?;
    let seed = fastrand::u64(..1_000_000);
    lab.progress().say(format_args!("readers: seed {seed}"));
    let targets: Vec<_> = lab.proxies().iter().map(Proxy::replica_address).collect();
    let mut stage = Stage { lab, readers: Readers::start(&targets, READERS, seed), primary };
    let watch = Watch::start(lab);
    stage.balanced("at_first", report).await?;
    stage.leave_and_come(report).await?;
    stage.lead(report).await?;
    if !quick() {
        stage.feed(report).await?;
    }
    let planned = stage.readers.readings();
    report
        .none("errors_on_planned_changes", planned.cut.len() + planned.refused.len())
        .because(|| format!("cut: {:?}; refused: {:?}", planned.cut.first(), planned.refused.first()));
    report.count("sessions_ended_between_transactions", planned.ended);
    stage.crash(&planned, report).await?;
    let strays = watch.strays();
    report.none("sessions_on_the_primary_without_need", strays.len()).because(|| strays[0].clone());
    let members = lab.proxies()[0].status().await?.election.members;
    let silent = members.iter().filter(|member| member.lag.is_none()).count();
    report.none("members_that_do_not_say_how_long_their_queue_is", silent);
    let all = stage.readers.stop().await?;
    report.count("reads", all.reads.values().sum());
    report.count("sessions", all.opened);
    report.millis("longest_wait_of_a_reader_ms", all.longest);
    Ok(())
}

struct Stage<'a> {
    lab: &'a Lab,
    readers: Readers,
    primary: usize,
}

impl Stage<'_> {
    /// The nodes that are not the primary, but for `without`.
    fn replicas(&self, without: &[usize]) -> Vec<usize> {
        let is_replica = |node: &usize| *node != self.primary && !without.contains(node);
        (0..self.lab.nodes().len()).filter(is_replica).collect()
    }

    /// Waits until readers are led to these nodes and are nowhere else; how long it took.
    async fn serving(&self, nodes: &[usize]) -> Result<Duration> {
        let start = Instant::now();
        let address = |node: &usize| self.lab.nodes()[*node].address().to_string();
        let mut upstreams: Vec<_> = nodes.iter().map(address).collect();
        upstreams.sort();
        let names: Vec<_> = nodes.iter().map(|node| self.lab.nodes()[*node].name()).collect();
        let there = async || {
            led_to(self.lab.proxies(), &upstreams).await?;
            self.readers.places().keys().all(|name| names.contains(&name.as_str())).then_some(())
        };
        wait_until(PATIENCE, &format!("readers are on {names:?} only"), there).await?;
        self.lab
            .progress()
            .say(format_args!("after {} readers are on {names:?} only", shown(start.elapsed())));
        Ok(start.elapsed())
    }

    /// How evenly the readers are spread, each on a session that was opened since these replicas serve. A machine that has
    /// too much to do may cost a server its place meanwhile: then that is waited for, and looked at anew.
    async fn balanced(&self, when: &str, report: &mut Report) -> Result<()> {
        let (replicas, start) = (self.replicas(&[]), Instant::now());
        let lasting = if quick() { LOOKED_QUICKLY } else { LOOKED };
        let (percent, averages) = loop {
            self.serving(&replicas).await?;
            let before = registrations(self.lab.proxies()).await?;
            self.readers.wait_renewed().await?;
            let measured = imbalance(&self.readers, replicas.len(), lasting).await;
            if registrations(self.lab.proxies()).await? == before {
                break measured;
            }
            ensure!(start.elapsed() < PATIENCE * 3, "{when}: the replicas do not stay the same");
        };
        self.lab.progress().say(format_args!("{when}: sessions on average {averages:.1?}"));
        report.at_most(&format!("imbalance_{when}_percent"), percent, IMBALANCE_PERCENT);
        Ok(())
    }

    /// A replica's agent is asked to stop, and comes back.
    async fn leave_and_come(&mut self, report: &mut Report) -> Result<()> {
        let replicas = self.replicas(&[]);
        let leaver = replicas[0];
        self.stop_agent(leaver).await?;
        report.millis("left_ms", self.serving(&self.replicas(&[leaver])).await?);
        self.lab.agents()[leaver].start().await?;
        self.balanced("after_a_return", report).await
    }

    /// The primary's agent is asked to stop: a replica leads now, and the old primary serves reads when it is back.
    async fn lead(&mut self, report: &mut Report) -> Result<()> {
        let (before, _) = self.lab.agreed_route(0, PATIENCE).await?;
        let old = self.primary;
        self.stop_agent(old).await?;
        let (route, _) = self.lab.agreed_route(before.epoch, PATIENCE).await?;
        self.primary = self.lab.node_at(&route.upstream).context("the primary is no node of the lab")?;
        report.millis("a_replica_leads_ms", self.serving(&self.replicas(&[old])).await?);
        self.lab.agents()[old].start().await?;
        self.balanced("after_a_change_of_primary", report).await
    }

    /// A replica joins by a whole transfer from the other one, whose agent keeps it out of the election if that lasts: then
    /// the primary stands in.
    async fn feed(&mut self, report: &mut Report) -> Result<()> {
        let replicas = self.replicas(&[]);
        let (joiner, donor) = (replicas[0], replicas[1]);
        self.stop_agent(joiner).await?;
        self.serving(&[donor]).await?;
        let donors = donor::transfer(self.lab, joiner, donor).await?;
        report.exactly("a_replica_was_the_donor", usize::from(donors.contains(&donor)), 1);
        // The only replica is gone for a moment at least: the primary stands in until it is back.
        self.stop_agent(donor).await?;
        self.serving(&[self.primary]).await?;
        self.lab.agents()[donor].start().await?;
        self.serving(&[donor]).await?;
        self.lab.agents()[joiner].start().await?;
        self.balanced("after_a_transfer", report).await
    }

    /// A replica's mariadbd is killed. Its sessions are lost, and no others.
    async fn crash(&mut self, before: &Readings, report: &mut Report) -> Result<()> {
        let [lost, other] = self.replicas(&[])[..] else { bail!("there are not two replicas") };
        let places = self.readers.places();
        let elsewhere = places.get(self.lab.nodes()[other].name()).copied().unwrap_or_default();
        self.lab.nodes()[lost].signal(Signal::KILL)?;
        report.millis("crashed_ms", self.serving(&[other]).await?);
        let after = self.readers.readings();
        let broken = |readings: &Readings| readings.cut.len() + readings.ended + readings.refused.len();
        // Those that log in at that moment break too.
        let at_most = READERS - elsewhere;
        report.at_most("sessions_broken_by_the_crash", broken(&after) - broken(before), at_most);
        Ok(())
    }

    async fn stop_agent(&self, node: usize) -> Result<()> {
        let agent = &self.lab.agents()[node];
        self.lab.progress().say(format_args!("{} is asked to stop", agent.name()));
        agent.signal(Signal::TERM)?;
        agent.wait_exit(PATIENCE).await.map(drop)
    }
}
