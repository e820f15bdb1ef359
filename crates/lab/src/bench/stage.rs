//! Owns what a benchmark runs on: the server, the engines before it, and what can be counted on this machine.

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
    /// Whether perf counts instructions on this machine.
    pub(super) counts: bool,
}

/// What the engines lead to.
pub(super) enum Target {
    MariaDb(Server),
    Stub(Stub),
}

impl<'lab> Stage<'lab> {
    /// Starts the server and the engines.
    pub(super) async fn set(lab: &'lab Lab, upstream: Upstream, options: &Options) -> Result<Self> {
        let counts = perf::counts_instructions();
        if !counts {
            lab.progress().say("perf counts no instructions here: CPU time takes their place");
        }
        let target = match upstream {
            Upstream::MariaDb => Target::MariaDb(Server::start(lab).await?),
            Upstream::Stub => Target::Stub(Stub::start(SocketAddr::from((lab.slot().node(0), 3306))).await?),
        };
        let mut stage = Self { lab, options: options.clone(), target, engines: Vec::new(), counts };
        stage.engines = super::peers::engines(lab, stage.upstream(), options)?;
        for engine in &stage.engines {
            engine.start().await?;
        }
        Ok(stage)
    }

    /// Where the server is.
    pub(super) fn upstream(&self) -> SocketAddr {
        match &self.target {
            Target::MariaDb(server) => server.address(),
            Target::Stub(stub) => stub.address(),
        }
    }

    /// The server's process, if it is one of its own.
    pub(super) fn server_pid(&self) -> Option<u32> {
        match &self.target {
            Target::MariaDb(server) => server.pid(),
            Target::Stub(_) => None,
        }
    }
}
