//! Ends everything that a command has started and that is left: its process group, and those that have left the group and
//! have come to this process as orphans, which is a subreaper. Whose children are meant to live must not call it.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, wait};

/// A killed process is gone within this time, unless the disk holds it up.
const PAUSE: Duration = Duration::from_millis(2);

/// Kills and collects until no child of this process is left.
pub(super) async fn sweep(group: Option<Pid>) {
    loop {
        kill_all(group);
        if let Collected::NobodyLeft = collect(|_, _| {}) {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// SIGTERM for the group and for every child.
pub(super) fn ask_all(group: Pid) {
    send(Some(group), Signal::TERM);
    // A stopped process takes no SIGTERM before it goes on.
    send(Some(group), Signal::CONT);
}

/// SIGKILL for the group and for every child.
pub(super) fn kill_all(group: Option<Pid>) {
    send(group, Signal::KILL);
}

/// Those that have ended meanwhile are no error.
fn send(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        let _ = kill_process_group(group, signal);
    }
    for child in children().into_iter().filter(|child| Some(*child) != group) {
        let _ = kill_process(child, signal);
    }
}

/// Whether there are children left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Collected {
    /// There are.
    SomeLeft,
    /// There are none.
    NobodyLeft,
}

/// Collects the children that have ended, and tells of each.
pub(super) fn collect(mut ended: impl FnMut(Pid, WaitStatus)) -> Collected {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((child, status))) => ended(child, status),
            Ok(None) => return Collected::SomeLeft,
            Err(_) => return Collected::NobodyLeft,
        }
    }
}

/// This process's children, as the kernel lists them for each thread. Where it does not, those outside the group are not found.
fn children() -> Vec<Pid> {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return Vec::new() };
    let lists =
        threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let pids = lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    pids.filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}
