//! Owns the MariaDB that benchmarks run against: one server without Galera, with its data in memory, so that what is
//! measured is the way to it.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::wire;
use crate::keeper::MARKER;
use crate::lab::Lab;
use crate::process::Process;
use crate::wait::wait_until;

pub(super) const MARIADBD: &str = "/usr/sbin/mariadbd";
const ACCOUNTS: &str = include_str!("../galera/install.sql");
/// So large that it is never flushed in the midst of a leg.
const LOG: &str = "256M";
const READY: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Server {
    process: Process,
    address: SocketAddr,
}

impl Server {
    /// Installs it in the lab's directory and starts it.
    pub(crate) async fn start(lab: &Lab) -> Result<Self> {
        if !Path::new(MARIADBD).exists() {
            bail!("{MARIADBD} is missing: apt-get install mariadb-server");
        }
        lab.progress().say("installing and starting a MariaDB without Galera");
        let address = SocketAddr::from((lab.slot().node(0), 3306));
        let options = lab.slot().directory().join("mariadb/my.cnf");
        let file = options.clone();
        let process = lab.process("mariadb", move || {
            let mut command = Command::new(MARIADBD);
            command.arg(format!("--defaults-file={}", file.display()));
            Ok(command)
        })?;
        let (directory, marker) = (process.directory().to_owned(), lab.slot().directory().to_owned());
        fs::write(&options, settings(&directory, address))?;
        tokio::task::spawn_blocking(move || install_in(&directory, &marker)).await??;
        process.start().await?;
        let server = Self { process, address };
        server.wait_ready().await?;
        Ok(server)
    }

    /// Its address for clients.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    async fn wait_ready(&self) -> Result<()> {
        let address = self.address;
        let ended_or_ready = async || match self.process.check_runs() {
            Err(ended) => Some(Err(ended)),
            Ok(()) => {
                let greeted = tokio::task::spawn_blocking(move || wire::greeted(address)).await.ok()?;
                greeted.then_some(Ok(()))
            }
        };
        wait_until(READY, "MariaDB greets", ended_or_ready).await?.0
    }
}

fn data(directory: &Path) -> PathBuf {
    directory.join("data")
}

fn settings(directory: &Path, address: SocketAddr) -> String {
    let lines = [
        ("datadir", data(directory).display().to_string()),
        ("tmpdir", directory.display().to_string()),
        ("socket", directory.join("sock").display().to_string()),
        ("pid-file", directory.join("pid").display().to_string()),
        ("bind-address", address.ip().to_string()),
        ("port", address.port().to_string()),
        ("user", user().unwrap_or_default().to_owned()),
        ("skip-name-resolve", "ON".to_owned()),
        ("max_connections", "2000".to_owned()),
        // Bursts of connections are to be answered, not to be lost in the queue.
        ("back_log", "4096".to_owned()),
        ("thread_cache_size", "512".to_owned()),
        // All of the data, and a log that is not waited for: the disk is not what is measured.
        ("innodb_buffer_pool_size", "512M".to_owned()),
        ("innodb_log_file_size", LOG.to_owned()),
        ("innodb_flush_log_at_trx_commit", "0".to_owned()),
        ("innodb_doublewrite", "OFF".to_owned()),
        ("innodb_buffer_pool_dump_at_shutdown", "OFF".to_owned()),
    ];
    let mut file = String::from("[mariadbd]\n");
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(file, "{name}={value}");
    }
    file
}

/// mariadbd refuses to be root.
fn user() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some("mysql")
}

fn install_in(directory: &Path, lab: &Path) -> Result<()> {
    if let Some(user) = user() {
        run(Command::new("chown").args(["-R", user]).arg(directory), directory, lab)?;
    }
    install(&data(directory), lab, LOG)
}

/// Makes a database with the lab's accounts, and with a log of this size.
pub(super) fn install(data: &Path, lab: &Path, log: &str) -> Result<()> {
    let directory = data.parent().context("a database is in no directory")?;
    let accounts = directory.join("install.sql");
    fs::write(&accounts, ACCOUNTS)?;
    let mut command = Command::new("mariadb-install-db");
    command.arg("--no-defaults").arg(format!("--datadir={}", data.display()));
    command.args(user().map(|user| format!("--user={user}")));
    command.args(["--skip-test-db", "--skip-name-resolve", "--auth-root-authentication-method=normal"]);
    command.arg(format!("--innodb-log-file-size={log}")).arg(format!("--extra-file={}", accounts.display()));
    run(&mut command, directory, lab)
}

fn run(command: &mut Command, directory: &Path, lab: &Path) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let log = directory.join("install.log");
    let output = command.env(MARKER, lab).output().with_context(|| format!("cannot run {program}"))?;
    fs::write(&log, [&output.stdout[..], &output.stderr].concat())?;
    if !output.status.success() {
        bail!("{program}: {}; {} says why", output.status, log.display());
    }
    Ok(())
}
