//! The command of a worker, seen from the worker: started by way of a guard process, told the limits, and ended, with
//! certainty: when the guard is killed or stopped by somebody, this side ends what is left. When to do what is `keeper`'s.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream as StdStream;
use std::time::Duration;

use capitana_core::Epoch;
use capitana_core::worker::{Exit, Limits};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command as Process};
use tokio::time::{Instant, sleep_until};

use super::sweep::sweep;
use super::words::{Order, Report, line};

/// The command that this program is run with to be a guard.
pub(crate) const GUARD: &str = "worker-guard";
/// How long a guard may take to kill and to say so before it is killed itself.
const KILL_LIMIT: Duration = Duration::from_millis(500);

/// What is run.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    /// The worker's name.
    pub(super) name: String,
    /// The command and its arguments.
    pub(super) command: Vec<OsString>,
    /// How long it may take to end.
    pub(super) grace: Duration,
}

/// What a command does.
#[derive(Debug)]
pub(super) enum Happened {
    /// It runs, as this process.
    Started(i32),
    /// It could not be started, and why.
    Failed(Exit, String),
    /// It has ended and nothing of it is left.
    Ended(Exit),
}

/// A command at work.
pub(super) struct Command {
    guard: Child,
    orders: OwnedWriteHalf,
    reports: Lines<BufReader<OwnedReadHalf>>,
    group: Option<Pid>,
    /// When the guard is killed if it has not said that everything is gone.
    patience: Option<Instant>,
    /// How it has ended. What the guard has said is kept here until the guard is gone: `next` may be dropped meanwhile.
    exit: Option<Exit>,
    /// Why it could not be started.
    failure: Option<String>,
}

impl Command {
    /// Starts it with this fencing token and these limits.
    pub(super) fn start(recipe: &Recipe, token: Epoch, limits: Limits) -> io::Result<Self> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        let (reports, orders) = UnixStream::from_std(ours)?.into_split();
        // For this one start: nothing else is started meanwhile.
        fcntl_setfd(&theirs, FdFlags::empty())?;
        let mut guard = Process::new("/proc/self/exe");
        guard.arg0("capitana").arg(GUARD);
        guard.args(["--channel", &theirs.as_raw_fd().to_string()]);
        guard.args(["--grace", &humantime::format_duration(recipe.grace).to_string(), "--"]);
        guard.args(&recipe.command);
        guard.env("CAPITANA_WORKER_NAME", &recipe.name);
        guard.env("CAPITANA_FENCING_TOKEN", token.to_string()).env("CAPITANA_EPOCH", token.to_string());
        // What the service manager is told is about the worker, and not about its command.
        guard.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
        let guard = guard.spawn()?;
        let command = Self {
            guard,
            orders,
            reports: BufReader::new(reports).lines(),
            group: None,
            patience: None,
            exit: None,
            failure: None,
        };
        command.tell(limits.into());
        Ok(command)
    }

    /// New limits.
    pub(super) fn limit(&self, limits: Limits) {
        self.tell(limits.into());
    }

    /// A signal for the command.
    pub(super) fn signal(&self, signal: Signal) {
        self.tell(Order::Signal(signal.as_raw()));
    }

    /// Everything is to end within this time, and is killed then.
    pub(super) fn end(&mut self, grace: Duration) {
        self.tell(Order::End(grace));
        self.patience = Some(Instant::now() + grace + KILL_LIMIT);
    }

    /// Everything is killed, also if the guard is stopped.
    pub(super) fn kill(&mut self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        self.tell(Order::Kill);
        self.patience = Some(Instant::now() + KILL_LIMIT);
    }

    /// A guard that does not read misses nothing that its own limits would not do.
    fn tell(&self, order: Order) {
        let _ = self.orders.try_write(&line(&order));
    }

    /// Waits for the next thing to happen. After an end nothing does. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Happened {
        loop {
            let patience = self.patience;
            let report = tokio::select! {
                report = self.reports.next_line() => report.ok().flatten(),
                () = out_of(patience) => {
                    let _ = self.guard.start_kill();
                    self.patience = None;
                    continue;
                }
            };
            match report.and_then(|line| serde_json::from_str(&line).ok()) {
                Some(Report::Started(pid)) => {
                    self.group = Pid::from_raw(pid);
                    return Happened::Started(pid);
                }
                Some(Report::Failed(status, why)) => {
                    (self.exit, self.failure) = (Some(Exit::Code(status)), Some(why));
                }
                Some(Report::Exited(code)) => self.exit = Some(Exit::Code(code)),
                Some(Report::Killed(signal)) => self.exit = Some(Exit::Signal(signal)),
                None => {
                    self.gone().await;
                    let exit = self.exit.unwrap_or(Exit::Signal(9));
                    return match self.failure.take() {
                        Some(why) => Happened::Failed(exit, why),
                        None => Happened::Ended(exit),
                    };
                }
            }
        }
    }

    /// The guard has ended, or ends. Whatever it may have left is this process's child now.
    async fn gone(&mut self) {
        let _ = self.guard.wait().await;
        sweep(self.group.filter(|_| self.exit.is_none())).await;
    }
}

async fn out_of(patience: Option<Instant>) {
    match patience {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

    use std::io::Write;

    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A command whose guard has said this and nothing more, and does not end.
    fn whose_guard_says(report: &Report) -> Command {
        let (ours, mut theirs) = StdStream::pair().unwrap();
        theirs.write_all(&line(report)).unwrap();
        ours.set_nonblocking(true).unwrap();
        let (reports, orders) = UnixStream::from_std(ours).unwrap().into_split();
        let guard = Process::new("sleep").arg("600").kill_on_drop(true).spawn().unwrap();
        let reports = BufReader::new(reports).lines();
        Command { guard, orders, reports, group: None, patience: None, exit: None, failure: None }
    }

    #[tokio::test]
    async fn why_a_command_could_not_be_started_is_kept_while_the_end_of_its_guard_is_waited_for() {
        let mut command = whose_guard_says(&Report::Failed(127, "cannot start it".to_owned()));
        let deadline = Instant::now() + PATIENCE;
        while command.exit.is_none() {
            assert!(Instant::now() < deadline, "what the guard has said is not kept");
            let ended = timeout(Duration::from_millis(10), command.next()).await;
            assert!(ended.is_err(), "{ended:?}, but its guard lives");
        }
        assert_eq!(
            (command.exit, command.failure.as_deref()),
            (Some(Exit::Code(127)), Some("cannot start it"))
        );
        command.guard.kill().await.unwrap();
    }
}
