//! Runs the example of a page of the documents, so that what the page shows is what happens.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::daemon;
use crate::lab::Lab;

/// Runs every block that begins with "```sh" in `docs/PAGE`, as one script, in a lab with ZooKeeper: `capitana` is on the
/// path, `CAPITANA_ZOOKEEPER` says where ZooKeeper is, and `PROXY` on which host the first proxy is, if there is one. What the
/// page has to show of itself, its script has to test.
///
/// # Errors
/// The page has no example, or a command of it fails.
pub async fn run(lab: &Lab, page: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let script: String = blocks.collect();
    ensure!(!script.is_empty(), "docs/{page} has no example");
    let program = daemon::program()?;
    let directory = lab.slot().directory().join("example");
    fs::create_dir_all(&directory)?;
    let mut search = vec![program.parent().context("capitana is in no directory")?.to_owned()];
    search.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut command = Command::new("sh");
    command.args(["-eux", "-c", &script]).current_dir(&directory);
    command.env("PATH", std::env::join_paths(search)?).env("CAPITANA_ZOOKEEPER", lab.zookeeper());
    if let Some(proxy) = lab.proxies().first() {
        command.env("PROXY", proxy.address().ip().to_string());
    }
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    if !output.status.success() {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("the example of docs/{page} fails ({}):\n{err}\n{out}", output.status);
    }
    lab.progress().say(format_args!("the example of docs/{page} works"));
    Ok(())
}
