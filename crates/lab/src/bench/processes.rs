//! Owns what the kernel says of processes: CPU time and memory of a group of them, and of this one and its children.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for 20,000 sessions with both ends in this process, and the proxies' own.
const DESCRIPTORS: u64 = 100_000;

/// The unit of CPU times in /proc: `USER_HZ` is 100 on every Linux that MariaDB runs on.
const TICK: Duration = Duration::from_millis(10);

/// Memory of processes, in kilobytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Proportional set size: pages that several processes share are divided among them.
    pub(crate) pss: u64,
    /// Resident set size.
    pub(crate) rss: u64,
}

/// The fields of /proc/PID/stat that matter here.
struct Stat {
    group: u32,
    own: Duration,
    /// Of children that have ended.
    children: Duration,
}

/// The CPU time, kernel included, of the living processes of a group and their ended children.
pub(crate) fn cpu_of_group(group: u32) -> Duration {
    members(group).iter().map(|(_, stat)| stat.own + stat.children).sum()
}

/// The CPU time of this process and its ended children: the load generators.
pub(crate) fn cpu_of_clients() -> Duration {
    stat("self").map(|stat| stat.own + stat.children).unwrap_or_default()
}

/// The memory of the processes of a group.
pub(crate) fn memory_of_group(group: u32) -> Result<Memory> {
    let mut memory = Memory::default();
    for (pid, _) in members(group) {
        let path = format!("/proc/{pid}/smaps_rollup");
        let rollup = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        memory.pss += kilobytes(&rollup, "Pss:");
        memory.rss += kilobytes(&rollup, "Rss:");
    }
    Ok(memory)
}

/// Lets this process, and those it starts, open as many files as the benchmarks need. Where that is not allowed, as many
/// as are.
pub(crate) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(DESCRIPTORS).max(DESCRIPTORS);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: Some(wanted) });
    if raised.is_err() {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
}

/// How many files this process, and each it starts, may open.
pub(crate) fn descriptor_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(DESCRIPTORS)
}

fn members(group: u32) -> Vec<(u32, Stat)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, stat(&pid.to_string()).filter(|stat| stat.group == group)?))).collect()
}

fn stat(pid: &str) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The command's name is in brackets and may hold anything, so the fields are counted from the last bracket.
fn parse(stat: &str) -> Option<Stat> {
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| Some(TICK * fields.get(index)?.parse::<u32>().ok()?);
    Some(Stat {
        group: fields.get(2)?.parse().ok()?,
        own: ticks(11)? + ticks(12)?,
        children: ticks(13)? + ticks(14)?,
    })
}

fn kilobytes(rollup: &str, label: &str) -> u64 {
    let line = rollup.lines().find_map(|line| line.strip_prefix(label));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_times_are_read_behind_a_name_that_holds_anything() {
        let line = "42 (a ) b) S 1 40 40 0 -1 4194560 100 0 0 0 150 50 7 3 20 0 1 0 99 0 0";
        let stat = parse(line).unwrap();
        assert_eq!(stat.group, 40);
        assert_eq!((stat.own, stat.children), (Duration::from_secs(2), Duration::from_millis(100)));
    }

    #[test]
    fn memory_is_read_by_its_label() {
        assert_eq!(kilobytes("Rss:    12 kB\nPss:     7 kB\nPss_Dirty: 1 kB\n", "Pss:"), 7);
    }
}
