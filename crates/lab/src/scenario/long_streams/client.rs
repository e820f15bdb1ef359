//! Owns the `mariadb` program as a client: how it is started in each mode, and the digest of what it prints.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ring::digest::{SHA256, digest};
use tokio::process::Command;

use crate::galera::APP;

/// How long a gigabyte may take on a busy machine, compressed.
const PATIENCE: Duration = Duration::from_secs(300);

/// How a client speaks with its server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mode {
    /// For figures.
    pub(super) name: &'static str,
    options: &'static [&'static str],
}

/// All of them. The client checks no certificate: who it speaks with is known here, and the proxy takes no part in it.
pub(super) const MODES: [Mode; 4] = [
    Mode { name: "clear", options: &["--skip-ssl"] },
    Mode { name: "compressed", options: &["--skip-ssl", "--compress"] },
    Mode { name: "tls", options: &["--ssl", "--skip-ssl-verify-server-cert"] },
    Mode { name: "tls_compressed", options: &["--ssl", "--skip-ssl-verify-server-cert", "--compress"] },
];

impl Mode {
    /// Neither compressed nor encrypted.
    pub(super) fn is_plain(self) -> bool {
        self.options.len() == 1
    }
}

/// A client of this server, or of the proxy before it.
pub(super) struct Client<'a> {
    pub(super) address: SocketAddr,
    pub(super) mode: Mode,
    /// Where nothing of the user's own settings is found.
    pub(super) directory: &'a Path,
}

impl Client<'_> {
    /// Runs a script: the SHA-256 of what it prints.
    pub(super) async fn digest(&self, script: &Path) -> Result<Vec<u8>> {
        let mut command = Command::new("mariadb");
        command.args(["--no-defaults", "--batch", "--skip-column-names", "--raw", "--quick"]);
        command.args(["--local-infile=1", "--max-allowed-packet=128M", "--protocol=tcp"]);
        command.arg(format!("--host={}", self.address.ip())).arg(format!("--port={}", self.address.port()));
        command.arg(format!("--user={APP}")).arg(format!("--password={APP}")).args(self.mode.options);
        command.stdin(File::open(script)?).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.current_dir(self.directory).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await;
        let output = output.context("the client does not come to an end")?.context("cannot run mariadb")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("mariadb ({}, {}): {}: {}", self.mode.name, self.address, output.status, said.trim());
        }
        Ok(digest(&SHA256, &output.stdout).as_ref().to_vec())
    }
}
