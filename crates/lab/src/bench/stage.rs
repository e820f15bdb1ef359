//! Owns what a benchmark runs on: the server, the engines before it, and what can be counted on this machine.

use std::cell::OnceCell;
use std::net::SocketAddr;

use anyhow::Result;

use super::engine::Engine;
use super::server::Server;
use super::stub::Stub;
use super::{Options, Upstream, perf};
use crate::lab::Lab;

/// A server and engines before it, all of them running.
pub(super) struct Stage<'lab> {
    pub(super) lab: &'lab Lab,
    pub(super) options: Options,
    pub(super) target: Target,
    /// The direct connection first, then capitana.
    pub(super) engines: Vec<Engine>,
    /// Whether instructions are counted: by perf, or by the emulator.
    pub(super) counts: bool,
    /// The kernel of the emulated machine, once there is one.
    pub(super) kernel: OnceCell<String>,
}

/// What the engines lead to.
pub(super) enum Target {
    MariaDb(Server),
    Stub(Stub),
    /// They are in an emulated machine.
    Emulated,
}

impl<'lab> Stage<'lab> {
    /// Starts the server and the engines.
    pub(super) async fn set(lab: &'lab Lab, upstream: Upstream, options: &Options) -> Result<Self> {
        let counts = upstream == Upstream::Emulated || perf::counts_instructions();
        if !counts {
            lab.progress().say("perf counts no instructions here: CPU time takes their place");
        }
        let target = match upstream {
            Upstream::MariaDb => Target::MariaDb(Server::start(lab).await?),
            Upstream::Stub => Target::Stub(Stub::start(stub_address(lab)).await?),
            Upstream::Emulated => Target::Emulated,
        };
        let mut stage = Self {
            lab,
            options: options.clone(),
            target,
            engines: Vec::new(),
            counts,
            kernel: OnceCell::new(),
        };
        stage.engines = match stage.upstream() {
            Some(upstream) => super::peers::engines(lab, upstream, options)?,
            None => super::emulated::engines()?,
        };
        for engine in &stage.engines {
            engine.start().await?;
        }
        Ok(stage)
    }

    /// Where the server is, if it is on this machine.
    pub(super) fn upstream(&self) -> Option<SocketAddr> {
        match &self.target {
            Target::MariaDb(server) => Some(server.address()),
            Target::Stub(stub) => Some(stub.address()),
            Target::Emulated => None,
        }
    }

    /// The server's process, if it is one of its own.
    pub(super) fn server_pid(&self) -> Option<u32> {
        match &self.target {
            Target::MariaDb(server) => server.pid(),
            Target::Stub(_) | Target::Emulated => None,
        }
    }
}

fn stub_address(lab: &Lab) -> SocketAddr {
    SocketAddr::from((lab.slot().node(0), 3306))
}
