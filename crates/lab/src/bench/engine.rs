//! Owns one way to the server: direct, capitana, or a peer; its process, what it uses, and when it is ready.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use super::processes::{self, Memory};
use super::rounds::DIRECT;
use super::wire;
use crate::process::Process;
use crate::wait::wait_until;

/// An engine listens within milliseconds; a busy machine may take longer.
const READY: Duration = Duration::from_secs(30);

/// A way to the server.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) name: &'static str,
    pub(super) version: String,
    /// Where clients connect.
    pub(super) address: SocketAddr,
    /// None for the direct connection, and for what is not on this machine.
    process: Option<Process>,
}

impl Engine {
    /// The server itself.
    pub(super) fn direct(server: SocketAddr) -> Self {
        Self { name: DIRECT, version: String::new(), address: server, process: None }
    }

    /// A proxy, not started.
    pub(super) fn proxy(name: &'static str, version: String, address: SocketAddr, process: Process) -> Self {
        Self { name, version, address, process: Some(process) }
    }

    /// One that is started elsewhere.
    pub(super) fn elsewhere(name: &'static str, version: String, address: SocketAddr) -> Self {
        Self { name, version, address, process: None }
    }

    /// Starts it and waits until a greeting of the server comes through.
    pub(super) async fn start(&self) -> Result<()> {
        let Some(process) = &self.process else { return Ok(()) };
        process.start().await?;
        let what =
            format!("{} answers on {} (log: {})", self.name, self.address, process.log_path().display());
        let address = self.address;
        let ended_or_ready = async || match process.check_runs() {
            Err(ended) => Some(Err(ended)),
            Ok(()) => {
                let greeted = tokio::task::spawn_blocking(move || wire::greeted(address)).await.ok()?;
                greeted.then_some(Ok(()))
            }
        };
        wait_until(READY, &what, ended_or_ready).await?.0
    }

    /// Ends it in order, and with it all of its processes.
    pub(super) async fn stop(&self) -> Result<()> {
        match &self.process {
            Some(process) => process.stop().await.map(drop),
            None => Ok(()),
        }
    }

    /// Its process, which leads a group of all its processes; none for the direct connection.
    pub(super) fn group(&self) -> Option<u32> {
        self.process.as_ref()?.pid()
    }

    /// The CPU time its processes have used.
    pub(super) fn cpu(&self) -> Duration {
        self.group().map(processes::cpu_of_group).unwrap_or_default()
    }

    /// The memory its processes have; none for the direct connection.
    pub(super) fn memory(&self) -> Result<Option<Memory>> {
        let measured = self.group().map(processes::memory_of_group).transpose();
        measured.with_context(|| format!("cannot tell how much memory {} has", self.name))
    }
}
