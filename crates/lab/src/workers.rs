//! Owns hosts that run `capitana worker`: each has a network of its own to ZooKeeper, which can be cut, and its processes,
//! which can be killed and frozen all at once or one by one; and what their commands say of when they ran.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};

use crate::daemon;
use crate::door::Door;
use crate::http;
use crate::lab::Lab;
use crate::process::{self, Process};
use crate::venv;
use crate::wait::wait_until;

/// The port of each one's admin endpoint.
const ADMIN: u16 = 9309;
/// A worker is up within milliseconds; then it needs ZooKeeper.
const READY: Duration = Duration::from_secs(60);
/// The beacon, by its file's name.
pub(crate) const BEACON: (&str, &str) = ("beacon.py", include_str!("../python/beacon.py"));

/// A host with one worker.
#[derive(Debug)]
pub(crate) struct Host {
    process: Process,
    door: Door,
    admin: SocketAddr,
    beacons: PathBuf,
}

/// One run of a command, from the first to the last time it said that it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) host: usize,
    pub(crate) token: i64,
    pub(crate) pid: i32,
    pub(crate) first: Duration,
    pub(crate) last: Duration,
}

/// The time by which every host of a lab lives.
pub(crate) fn now() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Sends a signal to each. One that has ended meanwhile is no error.
pub(crate) fn send(processes: &[Pid], signal: Signal) {
    for process in processes {
        let _ = kill_process(*process, signal);
    }
}

/// Whether there is such a process that has not ended, and may hold something.
pub fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    process::state(&stat).is_some_and(|state| state != 'Z')
}

/// A process, its children, theirs, and so on.
pub(crate) fn family(process: &Process) -> Vec<Pid> {
    let parents = parents();
    let mut family: Vec<_> = process.pid().and_then(|pid| i32::try_from(pid).ok()).into_iter().collect();
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    family.into_iter().filter_map(Pid::from_raw).collect()
}

impl Host {
    /// Host `index`, not started, whose worker has this name, these arguments and this command. `{beacons}` in the command
    /// is the file that `runs` reads.
    pub(crate) async fn new(
        lab: &Lab,
        index: usize,
        timeout: Duration,
        arguments: &[&str],
        command: &[&str],
    ) -> Result<Self> {
        let door = Door::open(lab.slot(), index, lab.zookeepers()).await?;
        let admin = SocketAddr::from((lab.slot().door(index), ADMIN));
        let name = format!("host{}", index + 1);
        let beacons = lab.slot().directory().join(&name).join("beacons");
        let program = daemon::program()?;
        let own = [
            ("--zookeeper", door.connect_string().to_owned()),
            ("--zookeeper-session-timeout", format!("{}ms", timeout.as_millis())),
            ("--node-name", name.clone()),
            ("--admin-listen", admin.to_string()),
        ];
        let mut words = vec!["worker".to_owned()];
        words.extend(own.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
        words.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        words.push("--".to_owned());
        let file = beacons.display().to_string();
        words.extend(command.iter().map(|word| word.replace("{beacons}", &file)));
        let process = lab.process(&name, move || {
            let mut command = Command::new(&program);
            command.args(&words);
            Ok(command)
        })?;
        Ok(Self { process, door, admin, beacons })
    }

    /// capitana's own process.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Its network to ZooKeeper.
    pub(crate) fn door(&self) -> &Door {
        &self.door
    }

    /// Waits until it stands in line.
    pub(crate) async fn wait_in_line(&self) -> Result<()> {
        let stands = async || {
            let status: serde_json::Value = http::get_json(self.admin, "/status").await.ok()?;
            (status["place"]["zookeeper"]["state"] == "up" && status["place"]["znode"].is_string())
                .then_some(())
        };
        let what =
            format!("{} stands in line (log: {})", self.process.name(), self.process.log_path().display());
        wait_until(READY, &what, stands).await.map(drop)
    }

    /// Every process of the host: capitana's, its guard, the command and what that has started.
    pub(crate) fn family(&self) -> Vec<Pid> {
        let parents = parents();
        let mut family: Vec<_> =
            self.process.pid().and_then(|pid| i32::try_from(pid).ok()).into_iter().collect();
        let mut next = 0;
        while let Some(parent) = family.get(next).copied() {
            family.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(pid, _)| *pid));
            next += 1;
        }
        family.into_iter().filter_map(Pid::from_raw).collect()
    }

    /// Sends a signal to every process of the host.
    pub(crate) fn signal_all(&self, signal: Signal) -> Vec<Pid> {
        let family = self.family();
        send(&family, signal);
        family
    }

    /// When its commands have run.
    pub(crate) fn runs(&self, host: usize) -> Result<Vec<Run>> {
        if !self.beacons.exists() {
            return Ok(Vec::new());
        }
        runs(&self.beacons, host)
    }
}

fn runs(path: &Path, host: usize) -> Result<Vec<Run>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut runs: Vec<Run> = Vec::new();
    // What was written when it was killed may lack its end.
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let mut words = line.split_whitespace();
        let mut word = || words.next().context("a beacon's line has three words");
        let (token, pid) = (word()?.parse()?, word()?.parse()?);
        let at = Duration::from_nanos(word()?.parse()?);
        match runs.last_mut().filter(|run| (run.token, run.pid) == (token, pid)) {
            Some(run) => run.last = at,
            None => runs.push(Run { host, token, pid, first: at, last: at }),
        }
    }
    Ok(runs)
}

/// Whose child every process of this machine is.
fn parents() -> BTreeMap<i32, i32> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parent = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in brackets, may hold anything.
        let (_, behind) = stat.rsplit_once(") ")?;
        Some((pid, behind.split(' ').nth(1)?.parse().ok()?))
    };
    pids.filter_map(parent).collect()
}

/// The scripts of workers, in the lab's directory. Answers the beacon's path.
pub(crate) fn install(lab: &Lab) -> Result<String> {
    let scripts = venv::install_scripts(lab.slot().directory(), &[BEACON])?;
    Ok(scripts.join(BEACON.0).display().to_string())
}
