//! Owns a proxy with a fixed primary, without ZooKeeper.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::daemon::program;
use crate::http;
use crate::lab::Lab;
use crate::process::Process;
use crate::wait::wait_until;

const READY: Duration = Duration::from_secs(30);

/// A running `capitana proxy --primary`.
#[derive(Debug)]
pub(crate) struct Fixed {
    process: Process,
    address: SocketAddr,
    admin: SocketAddr,
}

impl Fixed {
    /// Proxy `index` of the lab, before `primary`. `files`: how many files it may open, where that is not the lab's limit.
    ///
    /// # Errors
    /// It ends, or is not ready after half a minute.
    pub(crate) async fn start(
        lab: &Lab,
        index: usize,
        primary: SocketAddr,
        files: Option<u64>,
    ) -> Result<Self> {
        let address = SocketAddr::from((lab.slot().proxy(index), 3306));
        let admin = SocketAddr::from((lab.slot().proxy(index), 9307));
        let mut command: Vec<OsString> = vec![program()?.into(), "proxy".into()];
        command.extend(["--primary".into(), primary.to_string().into()]);
        command.extend(["--listen".into(), address.to_string().into()]);
        command.extend(["--admin-listen".into(), admin.to_string().into()]);
        let process = lab.process(&format!("fixed{}", index + 1), move || Ok(limited(&command, files)))?;
        process.start().await?;
        let ended_or_ready = async || match process.check_runs() {
            Err(ended) => Some(Err(ended)),
            Ok(()) => {
                let answer = http::get(admin, "/readyz").await.ok();
                answer.filter(|(status, _)| status.is_success()).map(|_| Ok(()))
            }
        };
        wait_until(READY, "the proxy is ready", ended_or_ready).await?.0?;
        Ok(Self { process, address, admin })
    }

    /// Its address for clients.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.process.check_runs()?;
        self.process.pid().context("the proxy has ended")
    }

    /// Its sessions, those that wait included.
    ///
    /// # Errors
    /// It does not answer.
    pub(crate) async fn sessions(&self) -> Result<u64> {
        let status: Value = http::get_json(self.admin, "/status").await?;
        status["sessions"]["active"].as_u64().context("the proxy does not say how many sessions it has")
    }
}

/// The command, with a limit of open files that it cannot raise.
fn limited(words: &[OsString], files: Option<u64>) -> Command {
    let mut command = Command::new("sh");
    let limit = files.map(|files| format!("ulimit -n {files}; ")).unwrap_or_default();
    command.arg("-c").arg(format!("{limit}exec \"$@\"")).arg("sh").args(words);
    command
}
