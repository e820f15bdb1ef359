//! The load, in the emulated machine, and what marks the beginning and the end of each count there.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, Signal, kill_process_group};

use super::super::rounds::DIRECT;
use super::super::server::MARIADBD;
use super::super::wire::{Session, greeted};
use super::plan::{DATA, Emulated, LOADS, Load, MARK_PROGRAM, What, engines, server};
use crate::galera::APP;
use crate::wait::wait_until;

/// By the machine's own clock, which goes by its instructions.
const READY: Duration = Duration::from_secs(120);
const TABLE: &str = "CREATE TABLE app.points (PRIMARY KEY (id)) ENGINE=InnoDB \
                     AS SELECT seq AS id, REPEAT('x', 120) AS c FROM app.seq_1_to_10000";
const ROWS: usize = 10_000;

/// Runs every load on every engine and says which were counted, in their order.
///
/// # Errors
/// An engine does not start, or a load fails.
#[expect(clippy::print_stdout, reason = "what it says is read from the machine's console")]
pub async fn load() -> Result<()> {
    let _server = mariadb().await?;
    let marker = Arc::new(Mutex::new(Marker::start()?));
    for engine in engines() {
        let started = start(&engine).await?;
        for load in LOADS {
            let address = engine.address;
            let marker = Arc::clone(&marker);
            tokio::task::spawn_blocking(move || run(&load, address, &marker)).await??;
            println!("counted {} {}", engine.name, load.name);
        }
        if let Some(mut process) = started {
            kill_process_group(Pid::from_child(&process), Signal::KILL)?;
            process.wait()?;
        }
    }
    Ok(())
}

/// The program that marks where a count begins and ends.
struct Marker {
    process: Child,
    bytes: (ChildStdin, ChildStdout),
}

impl Marker {
    fn start() -> Result<Self> {
        let mut command = Command::new(MARK_PROGRAM);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let bytes = process.stdin.take().zip(process.stdout.take()).context("the marker has no pipes")?;
        Ok(Self { process, bytes })
    }

    /// Returns once it is marked.
    fn mark(&mut self) -> Result<()> {
        let (to, from) = &mut self.bytes;
        to.write_all(&[0])?;
        from.read_exact(&mut [0]).context("the marker has ended")
    }
}

impl Drop for Marker {
    fn drop(&mut self) {
        // The machine ends with it.
        let _ = self.process.kill();
    }
}

async fn mariadb() -> Result<Child> {
    let mut command = Command::new(MARIADBD);
    command.args([
        "--no-defaults",
        "--user=root",
        "--skip-name-resolve",
        "--innodb-flush-log-at-trx-commit=0",
    ]);
    command.args(["--max-connections=1000", "--back-log=4096", "--thread-cache-size=512", "--tmpdir=/tmp"]);
    command.args([
        "--innodb-buffer-pool-size=64M",
        "--socket=/tmp/mariadb.sock",
        "--pid-file=/tmp/mariadb.pid",
    ]);
    command.args([format!("--datadir={DATA}"), format!("--bind-address={}", server().ip())]);
    let child = command.stdin(Stdio::null()).spawn().with_context(|| format!("cannot start {MARIADBD}"))?;
    greets(DIRECT, server()).await?;
    let mut session = Session::open(server(), APP)?;
    session.query(TABLE, &mut [0; 512])?;
    session.quit()?;
    Ok(child)
}

/// In a group of its own, so that those it starts end with it.
async fn start(engine: &Emulated) -> Result<Option<Child>> {
    let Some((program, arguments)) = engine.command.split_first() else { return Ok(None) };
    let mut command = Command::new(program);
    command.args(arguments).process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().with_context(|| format!("cannot start {program}"))?;
    greets(engine.name, engine.address).await?;
    Ok(Some(child))
}

async fn greets(name: &str, address: SocketAddr) -> Result<()> {
    let greeted = async || tokio::task::spawn_blocking(move || greeted(address)).await.ok()?.then_some(());
    wait_until(READY, &format!("{name} answers"), greeted).await.map(drop)
}

/// One load: every client to a quarter, and then, counted, in full.
fn run(load: &Load, address: SocketAddr, marker: &Mutex<Marker>) -> Result<()> {
    let mut marker = marker.lock().unwrap_or_else(PoisonError::into_inner);
    let step = &Barrier::new(load.clients + 1);
    thread::scope(|scope| {
        let start = |seed| scope.spawn(move || client(load, address, step, seed));
        let clients: Vec<_> = (0..load.clients as u64).map(start).collect();
        step.wait();
        marker.mark()?;
        step.wait();
        step.wait();
        marker.mark()?;
        clients.into_iter().try_for_each(|client| client.join().map_err(|_| anyhow!("a client panicked"))?)
    })
}

/// Meets the others at each step, whatever comes of its own part: they wait for all.
fn client(load: &Load, address: SocketAddr, step: &Barrier, seed: u64) -> Result<()> {
    let mut client = Client { address, session: None, random: fastrand::Rng::with_seed(seed) };
    let warm = (0..load.each / 4).try_for_each(|_| client.act(load.what));
    step.wait();
    step.wait();
    let counted = warm.and_then(|()| (0..load.each).try_for_each(|_| client.act(load.what)));
    step.wait();
    counted
}

struct Client {
    address: SocketAddr,
    session: Option<Session>,
    random: fastrand::Rng,
}

impl Client {
    fn act(&mut self, what: What) -> Result<()> {
        let mut buffer = [0; 1024];
        let mut session = match self.session.take() {
            Some(session) => session,
            None => Session::open(self.address, APP)?,
        };
        match what {
            What::Query => {
                let statement = format!("SELECT c FROM app.points WHERE id={}", self.random.usize(1..=ROWS));
                session.query(&statement, &mut buffer)?;
                self.session = Some(session);
            }
            What::Connect => {
                session.query("SELECT 1", &mut buffer)?;
                session.quit()?;
            }
        }
        Ok(())
    }
}
