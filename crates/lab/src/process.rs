//! Owns one process of a lab: its start, its signals, its log.
//!
//! Does not own what makes it ready (the modules of the kinds do), nor ending it when the lab dies (`keeper`).

use std::fs::{self, File, OpenOptions};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::watch;

use crate::keeper::MARKER;
use crate::wait::wait_until;

/// How long a process may take to end after SIGKILL: it may be in the middle of a write to a busy disk.
const KILLED: Duration = Duration::from_secs(20);
/// How long a process may take to end when asked to.
const STOPPED: Duration = Duration::from_secs(60);

/// How long a process may take to stand still: every thread has to leave the system call that it is in.
const FROZEN: Duration = Duration::from_secs(20);

/// Makes the command that starts a process. May block: it runs on a thread for that.
pub type Recipe = Arc<dyn Fn() -> Result<Command> + Send + Sync>;

/// One process of a lab, which can be started again after it has ended.
pub struct Process {
    name: String,
    directory: PathBuf,
    lab: PathBuf,
    recipe: Recipe,
    running: Mutex<Option<Running>>,
}

struct Running {
    pid: u32,
    // Signals go through the descriptor: a pid may be another process's by the time it is used.
    pidfd: OwnedFd,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// A process that is not started yet, with a directory of its own under `lab`.
    pub(crate) fn new(lab: &Path, name: &str, recipe: Recipe) -> Result<Self> {
        let directory = lab.join(name);
        fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        Ok(Self { name: name.to_owned(), directory, lab: lab.to_owned(), recipe, running: Mutex::new(None) })
    }

    /// Its name, for example `node1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its directory: data, configuration, log.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where its standard output and standard error are written.
    pub fn log_path(&self) -> PathBuf {
        self.directory.join(format!("{}.log", self.name))
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().filter(|running| running.exit.borrow().is_none()).map(|running| running.pid)
    }

    /// Starts it. Does not wait until it is ready.
    ///
    /// # Errors
    /// It runs already, or its program cannot be executed.
    pub async fn start(&self) -> Result<()> {
        if self.pid().is_some() {
            bail!("{} runs already", self.name);
        }
        let recipe = Arc::clone(&self.recipe);
        let command = tokio::task::spawn_blocking(move || recipe()).await??;
        self.spawn(command)
    }

    /// SIGKILL, as `kill -9` does. Returns when it has ended.
    ///
    /// # Errors
    /// It does not run.
    pub async fn kill(&self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.wait_exit(KILLED).await.map(drop)
    }

    /// SIGTERM, as a service manager does. Returns how it has ended.
    ///
    /// # Errors
    /// It does not run, or has not ended after a minute.
    pub async fn stop(&self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait_exit(STOPPED).await
    }

    /// SIGSTOP: it lives, its connections stay open, and it does nothing. Returns when it stands still: the kernel gives
    /// the signal to one thread, and the others run on until that one has had the processor.
    ///
    /// # Errors
    /// It does not run, or has not stopped after twenty seconds.
    pub async fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)?;
        let still = async || self.pid().is_none_or(stands_still).then_some(());
        wait_until(FROZEN, &format!("{} stands still", self.name), still).await?;
        self.check_runs()
    }

    /// SIGCONT: a frozen process goes on.
    ///
    /// # Errors
    /// It does not run.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Sends any signal.
    ///
    /// # Errors
    /// It does not run.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let running = running.as_ref().ok_or_else(|| anyhow!("{} was never started", self.name))?;
        pidfd_send_signal(&running.pidfd, signal)
            .with_context(|| format!("cannot send {signal:?} to {} (pid {})", self.name, running.pid))
    }

    /// Waits until it has ended, and says how.
    ///
    /// # Errors
    /// It was never started, or still runs at the deadline.
    pub async fn wait_exit(&self, deadline: Duration) -> Result<ExitStatus> {
        let exit =
            self.running.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|r| r.exit.clone());
        let mut exit = exit.ok_or_else(|| anyhow!("{} was never started", self.name))?;
        let status = tokio::time::timeout(deadline, exit.wait_for(Option::is_some))
            .await
            .map_err(|_| anyhow!("{} still runs after {deadline:?}", self.name))?
            .with_context(|| format!("nobody waits for {} any more", self.name))?;
        status.ok_or_else(|| anyhow!("{} has ended, nobody knows how", self.name))
    }

    /// Waits until this is in its log.
    ///
    /// # Errors
    /// It is not at the deadline.
    pub async fn wait_said(&self, what: &str, deadline: Duration) -> Result<()> {
        let said = async || self.log_tail(usize::MAX).contains(what).then_some(());
        wait_until(deadline, &format!("{} says {what}", self.name), said).await.map(drop)
    }

    /// An error if it has ended, with the end of its log: for those who wait until it is ready.
    ///
    /// # Errors
    /// It has ended.
    pub fn check_runs(&self) -> Result<()> {
        if self.pid().is_some() {
            return Ok(());
        }
        bail!("{} has ended; the end of {}:\n{}", self.name, self.log_path().display(), self.log_tail(15))
    }

    /// The last `lines` lines of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = fs::read(self.log_path()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let all: Vec<_> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    fn spawn(&self, mut command: Command) -> Result<()> {
        let log = self.open_log()?;
        command.env(MARKER, &self.lab).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut command = tokio::process::Command::from(command);
        // A group of its own: Ctrl-C in the terminal reaches the lab only, which ends things in order.
        let child = command.process_group(0).spawn();
        let mut child = child.with_context(|| format!("cannot start {}", self.name))?;
        let pid = child.id().ok_or_else(|| anyhow!("{} has no process id", self.name))?;
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(|| anyhow!("pid {pid}?"))?;
        let pidfd =
            pidfd_open(raw, PidfdFlags::empty()).context("cannot open a pidfd (Linux 5.3 or newer)")?;
        let (sender, exit) = watch::channel(None);
        tokio::spawn(async move {
            let status = child.wait().await.ok();
            sender.send_replace(status);
        });
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(Running { pid, pidfd, exit });
        Ok(())
    }

    fn open_log(&self) -> Result<File> {
        let path = self.log_path();
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        opened.with_context(|| format!("cannot open {}", path.display()))
    }
}

/// Whether every thread of a process is stopped (`T` in proc(5), `t` under a tracer).
fn stands_still(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    // A thread that ends meanwhile has no state, and does nothing any more.
    let mut states =
        threads.filter_map(|thread| state(&fs::read_to_string(thread.path().join("stat")).ok()?));
    states.all(|state| "TtZX".contains(state))
}

/// The state of a process or a thread, a letter, from its `stat`. The name before it, in brackets, may hold anything.
pub(crate) fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("name", &self.name).field("pid", &self.pid()).finish_non_exhaustive()
    }
}
