//! The guard: a small process between a worker and its command. It ends the command, and whatever that has started, when it
//! is told to, when the worker is gone, and when the limits that the worker has given are over, whatever the worker does.
//! What may run until when is decided in `capitana_core::worker`.
//!
//! Two things it leaves to the kernel, so that they hold while the guard itself is stopped: a timer kills the guard at the
//! last moment, and the command dies with the guard.

use std::ffi::OsString;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use capitana_core::worker::{Exit, Limits};
use rustix::process::{Pid, Signal, WaitStatus, getpid, kill_process, set_child_subreaper};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::time::sleep;

use super::sweep::{Collected, ask_all, collect, kill_all, sweep};
use super::words::{Order, Report, line};
use crate::clock::BootClock;
use crate::error::Error;
use crate::sys::{LastMoment, dies_with_this_thread, inherited_socket};

/// A sleep ends late after the machine was suspended: the clock is looked at so often at least.
const LOOK: Duration = Duration::from_secs(1);
/// How often what was killed is looked for until it is gone.
const KILLING: Duration = Duration::from_millis(5);

/// Guards `command` for the worker at the other end of the socket with this number.
///
/// # Errors
/// It was not started by a worker, or the system refuses something ordinary.
pub fn run(channel: RawFd, grace: Duration, command: &[OsString]) -> Result<u8, Error> {
    let system = |source| Error::System { doing: "cannot guard a command", source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
    runtime.block_on(guard(channel, grace, command)).map_err(system)?;
    Ok(crate::exit::OK)
}

async fn guard(channel: RawFd, grace: Duration, command: &[OsString]) -> io::Result<()> {
    let socket = inherited_socket(channel)?;
    socket.set_nonblocking(true)?;
    let (orders, mut reports) = UnixStream::from_std(socket)?.into_split();
    let mut orders = BufReader::new(orders).lines();
    let limits = match next(&mut orders).await {
        Some(Order::Limits { end_at, kill_at, last }) => Limits { end_at, kill_at, last },
        _ => return Ok(()),
    };
    set_child_subreaper(Some(getpid()))?;
    // Signals that are sent to all of a service are the worker's to understand; the command has its own way with them.
    let _heard = heard()?;
    let ended = signal(SignalKind::child())?;
    let last = LastMoment::new()?;
    last.set(limits.last)?;
    let started = start(command);
    let report = match &started {
        Ok(child) => Report::Started(child.as_raw_nonzero().get()),
        Err(error) => failed(command, error),
    };
    reports.write_all(&line(&report)).await?;
    let Ok(child) = started else { return Ok(()) };
    Guard { child, exit: None, limits, last, grace, ending: None }.watch(orders, ended, reports).await
}

/// 127 and 126 are what shells answer for a command that is not there, or cannot be executed.
fn failed(command: &[OsString], error: &io::Error) -> Report {
    let name = command.first().map(|name| name.to_string_lossy()).unwrap_or_default();
    let status = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
    Report::Failed(status, format!("cannot start {name}: {error}"))
}

fn start(command: &[OsString]) -> io::Result<Pid> {
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    let child = dies_with_this_thread(command.args(arguments).process_group(0)).spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::other("it has no process id"))
}

fn heard() -> io::Result<Vec<Stream>> {
    let kinds = [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
        SignalKind::quit(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
    ];
    kinds.into_iter().map(signal).collect()
}

/// The next order. None: there is nobody to give one.
async fn next(orders: &mut Lines<BufReader<OwnedReadHalf>>) -> Option<Order> {
    let line = orders.next_line().await.ok()??;
    serde_json::from_str(&line).ok()
}

struct Guard {
    /// The command, and its group.
    child: Pid,
    /// How it has ended.
    exit: Option<Exit>,
    limits: Limits,
    last: LastMoment,
    grace: Duration,
    /// It was asked to end, and is killed at this time.
    ending: Option<Duration>,
}

impl Guard {
    async fn watch(
        mut self,
        mut orders: Lines<BufReader<OwnedReadHalf>>,
        mut ended: Stream,
        mut reports: OwnedWriteHalf,
    ) -> io::Result<()> {
        let mut worker_lives = true;
        while self.collect() == Collected::SomeLeft {
            let now = BootClock.now();
            let wait = self.act(now).saturating_sub(now).min(LOOK);
            tokio::select! {
                _ = ended.recv() => {}
                order = next(&mut orders), if worker_lives => match order {
                    Some(order) => self.obey(order)?,
                    None => {
                        worker_lives = false;
                        self.end(self.grace);
                    }
                },
                () = sleep(wait) => {}
            }
        }
        sweep(None).await;
        let exit = self.exit.unwrap_or(Exit::Signal(9));
        // A worker that is gone is told nothing.
        let _ = reports.write_all(&line(&Report::from(exit))).await;
        Ok(())
    }

    /// Does what is due, and answers when the next thing is.
    fn act(&mut self, now: Duration) -> Duration {
        if now >= self.limits.end_at {
            self.end(self.grace);
        }
        let kill_at = self.ending.unwrap_or(Duration::MAX).min(self.limits.kill_at);
        if now < kill_at {
            return if self.ending.is_some() { kill_at } else { self.limits.end_at.min(kill_at) };
        }
        kill_all(Some(self.child));
        now + KILLING
    }

    fn obey(&mut self, order: Order) -> io::Result<()> {
        match order {
            Order::Limits { end_at, kill_at, last } => {
                self.limits = Limits { end_at, kill_at, last };
                self.last.set(last)?;
            }
            Order::Signal(number) => {
                if let (Some(signal), None) = (Signal::from_named_raw(number), self.exit) {
                    // One that ends at this moment is no error.
                    let _ = kill_process(self.child, signal);
                }
            }
            Order::End(grace) => self.end(grace),
            Order::Kill => self.ending = Some(Duration::ZERO),
        }
        Ok(())
    }

    /// Asked twice, the earlier end counts.
    fn end(&mut self, grace: Duration) {
        let kill_at = BootClock.now().saturating_add(grace);
        if self.ending.is_none() {
            ask_all(self.child);
        }
        self.ending = Some(self.ending.map_or(kill_at, |earlier| earlier.min(kill_at)));
    }

    /// What the command leaves behind when it ends is ended as well.
    fn collect(&mut self) -> Collected {
        let (child, mut exit) = (self.child, self.exit);
        let left = collect(|pid, status| {
            if pid == child {
                exit = Some(exit_of(status));
            }
        });
        if exit.is_some() && self.exit.is_none() && left == Collected::SomeLeft {
            self.end(self.grace);
            // Those that have left the group are this process's children only now.
            ask_all(self.child);
        }
        self.exit = exit;
        left
    }
}

fn exit_of(status: WaitStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, Some(signal)) => Exit::Signal(u8::try_from(signal).unwrap_or(u8::MAX)),
        (None, None) => Exit::Signal(9),
    }
}
