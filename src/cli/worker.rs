//! `capitana worker`: its command line. Running it is `main`'s. And the guard's, which only a worker starts.

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::time::Duration;

use clap::Args;

use crate::config::load::DaemonArgs;
use crate::config::settings::WorkerSettings;
use crate::config::value::Text;
use crate::worker::Task;

pub(super) const EXAMPLES: &str = "\
Examples:
  capitana worker --name email-sender --zookeeper zk1:2181,zk2:2181 -- /usr/bin/send-emails
  capitana worker --name report --once --wait 0s -- /usr/bin/report    (from cron, everywhere)
  capitana worker --name import --lock /leader -- /usr/bin/import      (a plain leader lock)
  capitana worker --name vip -- capitana vip 192.0.2.10/24 eth0

The command gets CAPITANA_WORKER_NAME, CAPITANA_FENCING_TOKEN and CAPITANA_EPOCH. SIGTERM ends the
command first, and gives the place in line up when nothing of it is left; a second one does not
wait for it. SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 are passed on to the command. With --once or
--restart never the exit status is the command's.";

/// What `capitana worker` is asked.
#[derive(Debug, Args)]
pub struct WorkerArgs {
    #[command(flatten)]
    daemon: DaemonArgs<WorkerSettings>,
    #[command(flatten)]
    task: TaskArgs,
}

/// What one run is asked, beside the settings.
#[derive(Debug, Clone, Args)]
pub struct TaskArgs {
    /// Wait for the turn, run the command once, and end with its status: for cron
    #[arg(long)]
    once: bool,

    /// Give up if others are before it for so long (0s: at all); exit code 75
    #[arg(long, value_name = "DURATION", requires = "once")]
    wait: Option<Text<Duration>>,

    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// What a worker tells its guard on the command line.
#[derive(Debug, Clone, Args)]
pub struct GuardArgs {
    /// The socket that the worker has left open
    #[arg(long)]
    channel: RawFd,

    /// How long the command may take to end
    #[arg(long)]
    grace: Text<Duration>,

    /// The command and its arguments
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl WorkerArgs {
    pub(super) fn into_task(self) -> TaskArgs {
        self.task
    }
}

impl TaskArgs {
    /// The task.
    #[must_use]
    pub fn task(self) -> Task {
        let wait = self.wait.map(|wait| wait.value);
        Task { command: self.command, once: self.once, wait }
    }
}

impl GuardArgs {
    /// Guards the command to its end.
    ///
    /// # Errors
    /// No worker has started this, or the system refuses something ordinary.
    pub fn run(&self) -> Result<u8, crate::error::Error> {
        crate::worker::run_guard(self.channel, self.grace.value, &self.command)
    }
}
