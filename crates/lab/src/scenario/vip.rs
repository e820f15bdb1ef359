//! Scenario `vip`: two hosts on one Ethernet hold an address by `capitana worker -- capitana vip`, whose holder is stopped,
//! dies and freezes, with IPv4 and IPv6; then the same address by keepalived, with the example's configuration.

mod keepalived;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::Signal;
use tokio::task::JoinHandle;

use super::{Scenario, in_lab};
use crate::daemon;
use crate::forwarder::Forwarder;
use crate::lab::Lab;
use crate::network::Namespace;
use crate::process::Process;
use crate::progress::{Progress, shown};
use crate::report::Report;
use crate::wait::wait_until;
use crate::workers::{family, send};

/// The session timeout, with a tick of 0.5 s: the kernel's lifetime of 2 s is half of it.
const SESSION: Duration = Duration::from_secs(4);
/// The address has moved so long after the session's end.
const MOVED: Duration = Duration::from_secs(2);
/// The same when its holder is asked to stop.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long the neighbours may believe in the old place.
const KNOWN: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at who has the address.
const LOOK: Duration = Duration::from_millis(5);
const ADDRESSES: [&str; 2] = ["10.9.0.10/24", "fd00:9::10/64"];

pub(super) const SCENARIO: Scenario = Scenario {
    name: "vip",
    about: "the holder of an address is stopped, dies, freezes: one host has it, the next one soon; keepalived as well",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = Lab::builder().zookeeper(1);
    in_lab(builder, &progress, async |lab, report| hold(lab, report).await).await
}

/// A switch, at which somebody listens, and two hosts.
struct Lan {
    switch: Namespace,
    hosts: Arc<[Namespace; 2]>,
    _ways: Vec<Forwarder>,
}

async fn hold(lab: &Lab, report: &mut Report) -> Result<()> {
    let lan = Lan::new(lab).await?;
    for address in ADDRESSES {
        moves(lab, &lan, address, report).await?;
    }
    keepalived::moves(lab, &lan, report).await
}

impl Lan {
    async fn new(lab: &Lab) -> Result<Self> {
        let switch = Namespace::new(lab, "switch").await?;
        switch.switch(&["10.9.0.254/24", "fd00:9::fe/64"])?;
        let hosts = [Namespace::new(lab, "one").await?, Namespace::new(lab, "two").await?];
        let zookeeper = lab.zookeepers().first().context("no ZooKeeper")?.connect_string().parse()?;
        let mut ways = Vec::new();
        for (index, host) in hosts.iter().enumerate() {
            let own = [format!("10.9.0.{}/24", index + 1), format!("fd00:9::{}/64", index + 1)];
            host.join(&switch, &format!("port{index}"), &own.each_ref().map(String::as_str))?;
            ways.push(host.lead(SocketAddr::from(([127, 0, 0, 1], 2181)), zookeeper)?);
        }
        Ok(Self { switch, hosts: Arc::new(hosts), _ways: ways })
    }

    /// Whether who listens at the switch sends to the interface of this host.
    fn knows(&self, address: IpAddr, host: usize) -> Result<bool> {
        let link = self.hosts[host].ip(&["-o", "link", "show", "dev", "eth0"])?;
        let mac =
            link.split("link/ether ").nth(1).and_then(|rest| rest.split(' ').next()).context("no MAC")?;
        Ok(self.switch.ip(&["neighbour", "show", &address.to_string()])?.contains(mac))
    }

    fn reaches(&self, address: IpAddr) -> Result<bool> {
        let mut ping = self.switch.command("ping")?;
        Ok(ping.args(["-c", "1", "-W", "1", "-q", &address.to_string()]).output()?.status.success())
    }
}

/// Looks all the time at who has the address.
struct Looker {
    task: JoinHandle<()>,
    both: Arc<AtomicUsize>,
    holder: Arc<Mutex<Option<usize>>>,
}

impl Looker {
    fn start(lan: &Lan, address: IpAddr) -> Self {
        let (both, holder) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
        let (hosts, counted, known) = (Arc::clone(&lan.hosts), Arc::clone(&both), Arc::clone(&holder));
        let task = tokio::spawn(async move {
            loop {
                let has = hosts.each_ref().map(|host| host.has(address).unwrap_or(false));
                if has == [true, true] {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                *known.lock().unwrap_or_else(PoisonError::into_inner) = has.iter().position(|has| *has);
                tokio::time::sleep(LOOK).await;
            }
        });
        Self { task, both, holder }
    }

    fn holder(&self) -> Option<usize> {
        *self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Looker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn moves(lab: &Lab, lan: &Lan, address: &str, report: &mut Report) -> Result<()> {
    let ip: IpAddr = address.split('/').next().unwrap_or_default().parse()?;
    let looker = Looker::start(lan, ip);
    let workers = [worker(lab, lan, 0, address)?, worker(lab, lan, 1, address)?];
    for worker in &workers {
        worker.start().await?;
        wait_until(PATIENCE, "the address is on a host", async || looker.holder()).await?;
    }
    let version = if ip.is_ipv4() { "v4" } else { "v6" };
    for (trouble, signal) in [("stopped", Signal::TERM), ("killed", Signal::KILL), ("frozen", Signal::STOP)] {
        let (holder, _) = wait_until(PATIENCE, "the address is on a host", async || looker.holder()).await?;
        report.check(lan.reaches(ip)?, || format!("{ip} does not answer on host {holder}"));
        let processes = if trouble == "stopped" { Vec::new() } else { family(&workers[holder]) };
        let began = Instant::now();
        match trouble {
            "stopped" => workers[holder].signal(signal)?,
            _ => send(&processes, signal),
        }
        let elsewhere = async || looker.holder().filter(|now| *now != holder);
        let (next, took) = wait_until(PATIENCE, "the address is on the other host", elsewhere).await?;
        let took = took.max(began.elapsed());
        let known = async || lan.knows(ip, next).ok().filter(|known| *known);
        let (_, told) = wait_until(PATIENCE, "the neighbours know", known).await?;
        lab.progress().say(format_args!("{ip}: {trouble}, on the other host {} later", shown(took)));
        let limit = if trouble == "stopped" { AT_ONCE } else { SESSION + MOVED };
        report.at_most(&format!("{version}_moved_when_{trouble}_ms"), took, limit);
        report.at_most(&format!("{version}_neighbours_told_when_{trouble}_ms"), told, KNOWN);
        report.check(lan.reaches(ip)?, || format!("{ip} does not answer after the move"));
        restore(&workers[holder], trouble, &processes).await?;
    }
    report.none(&format!("{version}_looks_at_both_having_it"), looker.both.load(Ordering::Relaxed));
    for worker in &workers {
        worker.stop().await?;
    }
    wait_until(PATIENCE, "nobody has the address", async || looker.holder().is_none().then_some(())).await?;
    Ok(())
}

async fn restore(worker: &Process, trouble: &str, processes: &[rustix::process::Pid]) -> Result<()> {
    if trouble == "frozen" {
        send(processes, Signal::CONT);
        return Ok(());
    }
    worker.wait_exit(PATIENCE).await?;
    worker.start().await
}

fn worker(lab: &Lab, lan: &Lan, host: usize, address: &str) -> Result<Process> {
    let (program, hosts, address) = (daemon::program()?, Arc::clone(&lan.hosts), address.to_owned());
    let name = format!("vip{}-{host}", if address.contains(':') { 6 } else { 4 });
    let node = name.clone();
    lab.process(&name, move || command(&hosts[host], &program, &node, &address))
}

fn command(host: &Namespace, program: &Path, node: &str, address: &str) -> Result<Command> {
    let program = program.to_str().context("the program's path")?;
    let timeout = format!("{}s", SESSION.as_secs());
    let mut command = host.command(program)?;
    command.args(["worker", "--name", if address.contains(':') { "vip6" } else { "vip" }]);
    command.args(["--zookeeper", "127.0.0.1:2181", "--zookeeper-session-timeout", &timeout]);
    command.args(["--node-name", node, "--", program, "vip", address, "eth0"]);
    Ok(command)
}
