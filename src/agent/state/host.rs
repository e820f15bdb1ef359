//! Which machine and node a state directory belongs to, and which start of the machine this is.

use std::fmt;
use std::fs;

use serde::{Deserialize, Serialize};

/// A node on a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    machine: String,
    node: String,
}

impl Host {
    /// This machine, as the home of the node of this name.
    #[must_use]
    pub fn here(node: &str) -> Self {
        let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default().trim().to_owned();
        Self { machine, node: node.to_owned() }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on machine {}", self.node, self.machine)
    }
}

/// This start of the machine. None: it cannot be told.
pub(in crate::agent) fn boot() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}
