//! Owns capitana as an engine: the proxy with a fixed primary, and otherwise its defaults.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use super::engine::Engine;
use super::peers;
use super::rounds::CAPITANA;
use crate::daemon::program;
use crate::lab::Lab;

const ADMIN_PORT: u16 = 9307;

/// The proxy before `upstream`, not started.
pub(super) fn engine(lab: &Lab, address: SocketAddr, upstream: SocketAddr) -> Result<Engine> {
    let (program, said) = (checked()?, version()?);
    let admin = SocketAddr::from((address.ip(), ADMIN_PORT));
    let process = lab.process(CAPITANA, move || {
        let mut command = Command::new(&program);
        command.arg("proxy").args(["--primary", &upstream.to_string()]);
        command.args(["--listen", &address.to_string(), "--admin-listen", &admin.to_string()]);
        Ok(command)
    })?;
    Ok(Engine::proxy(CAPITANA, said, address, process))
}

/// What it says of its version.
pub(super) fn version() -> Result<String> {
    Ok(peers::version(&checked()?.display().to_string(), "--version"))
}

/// The program, which must be one that was built to be measured.
pub(super) fn checked() -> Result<PathBuf> {
    let program = program()?;
    if program.parent().is_some_and(|directory| directory.ends_with("debug")) {
        bail!(
            "{} is a debug build: measure `cargo build --release --workspace --bins`, or name one with CAPITANA_BIN",
            program.display()
        );
    }
    Ok(program)
}
