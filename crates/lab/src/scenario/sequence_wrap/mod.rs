//! Scenario `sequence-wrap`: the election path's counter stands two before its end. Five elections later agents, proxy
//! and `capitana status` still agree with the order in which the candidates were created.

mod snapshot;

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::scene::PATIENCE;
use super::{Scenario, in_lab};
use crate::candidates::ELECTION;
use crate::crowd::{Entry, Register, Standing, Watcher};
use crate::daemon;
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;
use crate::wait::wait_until;

/// The next sequence number of the election path; the last one there is comes right after it.
const COUNTER: i32 = i32::MAX - 1;
/// Agents.
const AGENTS: usize = 3;
/// Elections.
const ELECTIONS: usize = 5;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "sequence-wrap",
    about: "the sequence number comes to its end; the order of candidates stays that of their creation",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = Lab::builder().galera(1).zookeeper(1).proxies(1).monitor(false);
    in_lab(builder, &progress, async |lab, report| wrap(lab, report).await).await
}

async fn wrap(lab: &Lab, report: &mut Report) -> Result<()> {
    set_counter(lab).await?;
    let register = Register::open(&lab.zookeeper()).await?;
    let watcher = Watcher::start(register.clone());
    let agents: Vec<_> =
        (0..AGENTS).map(|index| Standing::new(lab, index, &lab.zookeeper(), &[])).collect::<Result<_>>()?;
    for agent in &agents {
        agent.process().start().await?;
        agent.wait_registered(None).await?;
    }
    let mut course = Course { lab, register, agents, wrong: Vec::new(), names: Vec::new() };
    course.compare("at first").await?;
    let first = course.names.clone();
    report.check(first.first().is_some_and(|name| *name == format!("node-{COUNTER}")), || {
        format!("the counter was not set: the first names are {first:?}")
    });
    for election in 1..=ELECTIONS {
        course.elect(election).await?;
    }
    let seen = watcher.stop().await?;
    report.exactly("elections", seen.primaries.len() - 1, ELECTIONS);
    let grew = seen.primaries.windows(2).filter(|pair| pair[0].czxid >= pair[1].czxid).count();
    report.none("epochs_that_did_not_grow", grew);
    report.none("wrong_orders", course.wrong.len()).because(|| course.wrong.join("; "));
    let negative = course.names.iter().filter(|name| name.starts_with("node--")).count();
    report.at_least("names_with_a_negative_number", negative, 1);
    report.exactly("most_znodes_of_a_node", seen.most, 1).because(|| seen.doubles.join("; "));
    Ok(())
}

/// ZooKeeper's own counter is set as ZooKeeper keeps it: in a snapshot, from which the server starts.
async fn set_counter(lab: &Lab) -> Result<()> {
    let server = lab.zookeepers().first().context("no ZooKeeper server")?;
    server.kill().await?;
    let directory = server.directory().join("data").join("version-2");
    fs::remove_dir_all(&directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    fs::create_dir_all(&directory)?;
    let file = directory.join(snapshot::NAME);
    fs::write(&file, snapshot::with_counter(ELECTION, COUNTER))
        .with_context(|| format!("cannot write {}", file.display()))?;
    server.start().await?;
    server.wait_ready().await?;
    lab.progress().say(format_args!("{ELECTION} gives the number {COUNTER} next"));
    Ok(())
}

struct Course<'a> {
    lab: &'a Lab,
    register: Register,
    agents: Vec<Standing>,
    /// Where somebody's order was another than that of creation.
    wrong: Vec<String>,
    /// Every name there was.
    names: Vec<String>,
}

impl Course<'_> {
    /// The primary's agent leaves and comes back behind the others.
    async fn elect(&mut self, election: usize) -> Result<()> {
        let entries = self.register.entries().await?;
        let primary = entries.first().context("there is no candidate")?;
        let agent = self.agents.iter().find(|agent| agent.node() == primary.node);
        let agent = agent.with_context(|| format!("{} is no agent of this lab", primary.node))?;
        agent.process().stop().await?;
        self.compare(&format!("in election {election}")).await?;
        let agent = self.agents.iter().find(|agent| agent.node() == primary.node).context("it was there")?;
        agent.process().start().await?;
        agent.wait_registered(None).await?;
        self.compare(&format!("after election {election}")).await
    }

    /// What the proxy and `capitana status` show, beside what ZooKeeper has.
    async fn compare(&mut self, when: &str) -> Result<()> {
        let entries = self.register.entries().await?;
        let created: Vec<_> = entries.iter().map(|entry| entry.name.clone()).collect();
        self.lab.progress().say(format_args!("{when}: {}", words(&entries)));
        if let Err(why) = self.proxy_has(&created).await {
            self.wrong.push(format!("{when}: {why:#}"));
        }
        let shown = shown_by_status(self.lab)?;
        if shown != created {
            self.wrong.push(format!("{when}: status shows {shown:?}, created in order {created:?}"));
        }
        let new: Vec<_> = created.into_iter().filter(|name| !self.names.contains(name)).collect();
        self.names.extend(new);
        Ok(())
    }

    async fn proxy_has(&self, created: &[String]) -> Result<()> {
        let proxy = self.lab.proxies().first().context("no proxy")?;
        let agrees = async || {
            let members = proxy.status().await.ok()?.election.members;
            members.iter().map(|member| &member.name).eq(created).then_some(())
        };
        wait_until(PATIENCE, &format!("the proxy has {created:?}"), agrees).await.map(drop)
    }
}

fn words(entries: &[Entry]) -> String {
    let each = entries.iter().map(|entry| format!("{} is {}", entry.node, entry.name));
    each.collect::<Vec<_>>().join(", ")
}

fn shown_by_status(lab: &Lab) -> Result<Vec<String>> {
    let mut command = Command::new(daemon::program()?);
    let output = command.args(["status", "--json", "--zookeeper", &lab.zookeeper()]).output()?;
    if output.stdout.is_empty() {
        bail!("capitana status: {}", String::from_utf8_lossy(&output.stderr));
    }
    let status: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let members = status["election"]["members"].as_array().context("capitana status shows no members")?;
    Ok(members.iter().filter_map(|member| member["name"].as_str()).map(str::to_owned).collect())
}
