//! Scenario `kazoo`: elections are held by any client of ZooKeeper that keeps to the convention, and followed by any.
//!
//! First capitana's agents and a kazoo watcher, then kazoo's agents and capitana's proxy.

mod rows;
mod watcher;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use self::watcher::Watcher;
use super::{Run, Scenario, in_lab};
use crate::daemon::Proxy;
use crate::galera::Node;
use crate::lab::Lab;
use crate::process::Process;
use crate::progress::Progress;
use crate::report::Report;
use crate::status::Route;
use crate::venv;
use crate::wait::wait_until;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "kazoo",
    about: "the proxy follows agents of ten lines of kazoo; a kazoo watcher agrees with capitana's agents",
    run: |progress| -> Run { Box::pin(run(progress)) },
};

const ELECTION: &str = "/mariadb/primary";

/// An ended process with its session takes effect at once; a killed one when its session of 4 s expires.
const FOLLOWED: Duration = Duration::from_secs(20);

const SCRIPTS: [(&str, &str); 2] = [
    ("kazoo_agent.py", include_str!("../../../python/kazoo_agent.py")),
    ("kazoo_watch.py", include_str!("../../../python/kazoo_watch.py")),
];

/// Where Python and the scripts are.
struct Kazoo {
    interpreter: PathBuf,
    scripts: PathBuf,
}

async fn run(progress: Progress) -> Result<Report> {
    let interpreter = venv::python(&progress).await?;
    let builder = Lab::builder().galera(2).zookeeper(1).agents(true).proxies(1);
    let body = async |lab: &Lab, report: &mut Report| {
        let scripts = venv::install_scripts(lab.slot().directory(), &SCRIPTS)?;
        let kazoo = Kazoo { interpreter, scripts };
        let proxy = lab.proxies().first().context("the lab has no proxy")?;
        kazoo_follows_capitana(lab, proxy, &kazoo, report).await?;
        stop_agents(lab, proxy).await?;
        capitana_follows_kazoo(lab, proxy, &kazoo, report).await
    };
    in_lab(builder, &progress, body).await
}

async fn kazoo_follows_capitana(lab: &Lab, proxy: &Proxy, kazoo: &Kazoo, report: &mut Report) -> Result<()> {
    let watcher =
        Watcher::start(lab, &kazoo.interpreter, &kazoo.scripts.join("kazoo_watch.py"), ELECTION).await?;
    let before = agree(lab, proxy, &watcher, report).await?;
    let leader = lab.node_at(&before.upstream).context("the primary is no node of this lab")?;
    lab.progress().say(format_args!("stopping {}, which leads", lab.agents()[leader].name()));
    lab.agents()[leader].stop().await?;
    let changed = async || proxy.status().await.ok()?.route.filter(|route| route.epoch > before.epoch);
    wait_until(FOLLOWED, "the proxy follows to the next agent's node", changed).await?;
    let after = agree(lab, proxy, &watcher, report).await?;
    report.check(after.upstream != before.upstream, || format!("{} leads still", after.upstream));
    Ok(())
}

/// Checks that kazoo's `sorted(children)[0]` is the proxy's primary, and says so.
async fn agree(lab: &Lab, proxy: &Proxy, watcher: &Watcher, report: &mut Report) -> Result<Route> {
    let status = proxy.status().await?;
    let route = status.route.context("the proxy has no primary")?;
    let member = status.election.leader().context("the proxy sees no primary")?;
    let first = watcher.wait_names(&member.name).await?;
    report.check(first.czxid == Some(route.epoch), || {
        format!("kazoo's first child was created in {:?}, the proxy's epoch is {}", first.czxid, route.epoch)
    });
    let host = route.upstream.rsplit_once(':').map_or("", |(host, _)| host);
    report.check(first.data.contains(host), || format!("kazoo reads '{}', the proxy {host}", first.data));
    report.check(member.upstream == route.upstream, || {
        format!("{} is elected, but not the route", member.upstream)
    });
    lab.progress().say(format_args!("kazoo and the proxy agree on {}, at {}", member.name, route.upstream));
    Ok(route)
}

async fn stop_agents(lab: &Lab, proxy: &Proxy) -> Result<()> {
    for agent in lab.agents().iter().filter(|agent| agent.pid().is_some()) {
        agent.stop().await?;
    }
    let nobody = async || proxy.status().await.ok().filter(|status| status.election.members.is_empty());
    wait_until(FOLLOWED, "the proxy sees that all agents are gone", nobody).await?;
    lab.progress().say("capitana's agents are gone");
    Ok(())
}

async fn capitana_follows_kazoo(lab: &Lab, proxy: &Proxy, kazoo: &Kazoo, report: &mut Report) -> Result<()> {
    let [one, two] = lab.nodes() else { bail!("the lab has not two nodes") };
    rows::create_table(one).await?;
    let leader = kazoo.start_agent(lab, one).await?;
    wait_led_to(proxy, one).await?;
    kazoo.start_agent(lab, two).await?;
    wait_until(FOLLOWED, "both kazoo agents are candidates", async || {
        proxy.status().await.ok().filter(|status| status.election.members.len() == 2)
    })
    .await?;
    let written_on = rows::write_row(proxy, 0).await?;
    report
        .check(written_on.as_deref() == Some(one.name()), || format!("the first row went to {written_on:?}"));

    lab.progress().say("kill -9 of the leading agent; its server stays");
    leader.kill().await?;
    let killed = Instant::now();
    let written = rows::write_until(proxy, two).await?;
    report.millis("followed_ms", killed.elapsed());
    report.at_most("sessions_cut", written.cut, 1);
    let seen = rows::count_rows(two).await?;
    report.exactly("rows_written", seen, 1 + written.rows).because(|| "so many were acknowledged".to_owned());
    lab.progress().say(format_args!(
        "row {} was written on {}, the {seen} rows are there",
        written.rows,
        two.name()
    ));
    Ok(())
}

impl Kazoo {
    /// Starts an agent whose znode holds the plain host, without a port.
    async fn start_agent(&self, lab: &Lab, node: &Node) -> Result<Process> {
        let (interpreter, script) = (self.interpreter.clone(), self.scripts.join("kazoo_agent.py"));
        let arguments = [lab.zookeeper(), node.address().ip().to_string()];
        let process = lab.process(&format!("kazoo-agent-{}", node.name()), move || {
            let mut command = Command::new(&interpreter);
            command.arg(&script).args(&arguments);
            Ok(command)
        })?;
        process.start().await?;
        lab.progress().say(format_args!("a kazoo agent for {} joins", node.name()));
        Ok(process)
    }
}

async fn wait_led_to(proxy: &Proxy, node: &Node) -> Result<()> {
    let upstream = node.address().to_string();
    let led = async || proxy.status().await.ok()?.route.filter(|route| route.upstream == upstream);
    wait_until(FOLLOWED, &format!("the proxy leads to {}", node.name()), led).await?;
    Ok(())
}
