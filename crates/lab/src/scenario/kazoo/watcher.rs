//! A follower of the election that knows nothing of capitana: `python/kazoo_watch.py` and what it has said.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::lab::Lab;
use crate::process::Process;
use crate::wait::wait_until;

/// Python and kazoo start within a second or two, and are told of a change within milliseconds.
const HEARD: Duration = Duration::from_secs(20);

pub(super) struct Watcher(Process);

/// `sorted(children)[0]` as kazoo's `ChildrenWatch` saw it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct First {
    /// The znode; none while there is no child.
    pub(super) name: Option<String>,
    pub(super) data: String,
    pub(super) czxid: Option<i64>,
}

impl Watcher {
    pub(super) async fn start(lab: &Lab, interpreter: &Path, script: &Path, election: &str) -> Result<Self> {
        let (interpreter, script) = (interpreter.to_owned(), script.to_owned());
        let arguments = [lab.zookeeper(), election.to_owned()];
        let process = lab.process("kazoo-watcher", move || {
            let mut command = Command::new(&interpreter);
            command.arg(&script).args(&arguments);
            Ok(command)
        })?;
        process.start().await?;
        Ok(Self(process))
    }

    /// What it saw last. It may say more than JSON (kazoo's warnings), which is passed over.
    fn last(&self) -> Option<First> {
        let said = std::fs::read_to_string(self.0.log_path()).ok()?;
        said.lines().rev().find_map(|line| serde_json::from_str(line).ok())
    }

    /// Waits until it names `name`.
    pub(super) async fn wait_names(&self, name: &str) -> Result<First> {
        let named = async || self.last().filter(|first| first.name.as_deref() == Some(name));
        let waited = wait_until(HEARD, &format!("the kazoo watcher names {name}"), named).await;
        let (first, _) = waited.with_context(|| {
            format!("it named {:?} last; the end of its log:\n{}", self.last(), self.0.log_tail(5))
        })?;
        Ok(first)
    }
}
