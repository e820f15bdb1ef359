//! Owns the ways in which a primary is lost, and how each is mended.

use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;

use crate::lab::Lab;
use crate::wait::wait_until;

/// How long a process may take to end after a signal, and the election to be complete again.
const MEND: Duration = Duration::from_secs(60);

/// A way to lose the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL of mariadbd.
    Crash,
    /// SIGTERM of mariadbd.
    Stop,
    /// mariadbd and agent stand still from the same moment on, their connections open: what the others see of a host that
    /// has lost its power or its network.
    HostDown,
    /// mariadbd alone stands still, its connections open.
    Frozen,
    /// SIGTERM of the agent.
    StepDown,
}

impl Fault {
    /// The ways that are taken by turns.
    pub(crate) const ALL: [Self; 4] = [Self::Crash, Self::StepDown, Self::HostDown, Self::Stop];

    /// Makes it happen to node `primary`, and does not wait for what follows.
    ///
    /// # Errors
    /// The process does not run.
    pub(crate) fn strike(self, lab: &Lab, primary: usize) -> Result<()> {
        let (node, agent) = (&lab.nodes()[primary], &lab.agents()[primary]);
        match self {
            Self::Crash => node.signal(Signal::KILL),
            Self::Stop => node.signal(Signal::TERM),
            Self::HostDown => node.signal(Signal::STOP).and_then(|()| agent.signal(Signal::STOP)),
            Self::Frozen => node.signal(Signal::STOP),
            Self::StepDown => agent.signal(Signal::TERM),
        }
    }

    /// Brings back what is gone, and returns when all nodes are synced and candidates again.
    ///
    /// # Errors
    /// A part does not come back.
    pub(crate) async fn mend(self, lab: &Lab, primary: usize) -> Result<()> {
        let (node, agent) = (&lab.nodes()[primary], &lab.agents()[primary]);
        match self {
            Self::Crash | Self::Stop => {
                node.wait_exit(MEND).await?;
                node.start().await?;
            }
            Self::HostDown => {
                node.thaw()?;
                agent.thaw()?;
            }
            Self::Frozen => node.thaw()?,
            Self::StepDown => {
                agent.wait_exit(MEND).await?;
                agent.start().await?;
            }
        }
        // All of them: a node that stood still takes itself for a member until it hears of the others.
        for node in lab.nodes() {
            node.wait_ready(lab.nodes().len()).await?;
        }
        let complete = async || {
            for proxy in lab.proxies() {
                let members = proxy.status().await.ok()?.election.members;
                (members.len() == lab.nodes().len()).then_some(())?;
            }
            Some(())
        };
        wait_until(MEND, "all nodes are candidates again", complete).await.map(drop)
    }
}
