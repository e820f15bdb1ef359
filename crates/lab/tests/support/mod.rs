//! Owns looking at what a lab leaves on the machine, for its tests.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use capitana_lab::{MARKER, is_alive, wait_until};
use rustix::process::{Pid, Signal, kill_process};

/// How long a lab may take to come up or to go on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// The processes that belong to the lab in `directory`.
pub fn members(directory: &Path) -> Vec<i32> {
    let marker = format!("{MARKER}={}", directory.display());
    processes("environ", |line| line.split('\0').any(|entry| entry == marker))
}

/// The keeper of the lab in `directory`.
pub fn keepers(directory: &Path) -> Vec<i32> {
    let directory = directory.to_str().unwrap();
    processes("cmdline", |line| {
        line.contains("capitana-lab-keeper") && line.split('\0').any(|arg| arg == directory)
    })
}

/// Sends a signal. A process that has ended meanwhile is no error.
pub fn send(pid: i32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

/// Waits until nothing of the lab is left: no process and no directory.
pub async fn wait_gone(directory: &Path) {
    let left = || format!("{:?}, directory: {}", members(directory), directory.exists());
    let gone = async || (members(directory).is_empty() && !directory.exists()).then_some(());
    wait_until(DEADLINE, "nothing of the lab is left", gone)
        .await
        .unwrap_or_else(|e| panic!("{e}: {}", left()));
}

/// Waits until these have ended, and so hold nothing any more.
pub async fn wait_ended(pids: &[i32]) {
    let ended = |pid: &i32| !is_alive(Pid::from_raw(*pid).unwrap());
    let all = async || pids.iter().all(ended).then_some(());
    wait_until(DEADLINE, "the processes have ended", all).await.unwrap();
}

/// A `lab up` that runs as a program of its own, with the least in it.
pub struct Up {
    pub child: Child,
    pub directory: PathBuf,
    lines: BufReader<std::process::ChildStdout>,
}

impl Up {
    /// Starts it and returns as soon as it has a directory: before it has brought anything up.
    pub fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lab"))
            .args(["up", "--nodes", "1", "--proxies", "1"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let line = read_until(&mut lines, "the lab's directory is ");
        let directory = PathBuf::from(line.split("the lab's directory is ").nth(1).unwrap().trim());
        Self { child, directory, lines }
    }

    /// Returns when it has said what to type.
    pub fn wait_up(&mut self) {
        read_until(&mut self.lines, "Ctrl-C takes everything down.");
    }

    /// Signals the program itself, and returns whether it ended well.
    pub fn end(&mut self, signal: Signal) -> bool {
        send(i32::try_from(self.child.id()).unwrap(), signal);
        self.child.wait().unwrap().success()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_until(lines: &mut impl BufRead, what: &str) -> String {
    let mut all = String::new();
    loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).unwrap() > 0, "no line with `{what}` in:\n{all}");
        if line.contains(what) {
            return line;
        }
        all.push_str(&line);
    }
}

fn processes(file: &str, is: impl Fn(&str) -> bool) -> Vec<i32> {
    let pids =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let read = |pid: &i32| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    pids.filter(|pid| is(&String::from_utf8_lossy(&read(pid)))).collect()
}
