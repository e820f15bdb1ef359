//! Owns counting instructions of the whole machine with `perf stat`, where the processor's counters can be had: many
//! virtual machines have none.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::lab::Lab;
use crate::process::Process;

const ARGUMENTS: [&str; 6] = ["stat", "-a", "-x", ";", "-e", "instructions"];

/// perf writes its counts at once when it is told to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether perf is installed and counts.
pub(super) fn counts_instructions() -> bool {
    let output = Command::new("perf").args(ARGUMENTS).args(["--", "true"]).stdin(Stdio::null()).output();
    output.is_ok_and(|output| instructions(&String::from_utf8_lossy(&output.stderr)).is_some())
}

/// A count under way.
pub(super) struct Count(Process);

impl Count {
    /// Starts counting; `name` is that of its log.
    pub(super) async fn start(lab: &Lab, name: &str) -> Result<Self> {
        let process = lab.process(&format!("perf-{name}"), || {
            let mut command = Command::new("perf");
            command.args(ARGUMENTS);
            Ok(command)
        })?;
        process.start().await?;
        Ok(Self(process))
    }

    /// Ends it: the instructions since its start.
    pub(super) async fn finish(self) -> Result<f64> {
        self.0.signal(Signal::INT)?;
        self.0.wait_exit(PATIENCE).await?;
        let said = std::fs::read_to_string(self.0.log_path())?;
        instructions(&said).with_context(|| format!("perf counted nothing; it says: {said}"))
    }
}

/// The count in `123;;instructions;...`; none where it says `<not supported>` or the like.
fn instructions(said: &str) -> Option<f64> {
    let mut lines = said.lines().filter(|line| line.contains("instructions"));
    lines.next()?.split(';').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_and_what_is_none_is_none() {
        assert_eq!(instructions("\n1234567;;instructions;99;100.00;;\n"), Some(1_234_567.0));
        assert_eq!(instructions("<not supported>;;instructions;0;100.00;;\n"), None);
        assert_eq!(instructions("perf: Permission denied\n"), None);
    }
}
