//! `capitana services --watch`, which keeps a file all the while, and somebody who reads the file all the while.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::daemon;
use crate::lab::Lab;
use crate::process::Process;

const TEMPLATE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/templates/prometheus-targets.json.j2");
/// Between two looks of the reader.
const LOOK: Duration = Duration::from_millis(5);

/// The file and who keeps it.
pub(super) struct Kept {
    process: Process,
    path: PathBuf,
    told: PathBuf,
    torn: Arc<AtomicUsize>,
    reader: JoinHandle<()>,
}

impl Kept {
    /// Keeps a file of all services, made by a template that is shipped.
    pub(super) async fn start(lab: &Lab) -> Result<Self> {
        let directory = lab.slot().directory().join("kept");
        fs::create_dir_all(&directory)?;
        let (path, told) = (directory.join("targets.json"), directory.join("told"));
        let (program, zookeeper) = (daemon::program()?, lab.zookeeper());
        let (out, log) = (path.clone(), told.clone());
        let process = lab.process("services", move || {
            let mut command = Command::new(&program);
            command.args(["services", "--zookeeper", &zookeeper, "--watch", "--min-interval", "200ms"]);
            command.args(["--template", TEMPLATE]).arg("--out").arg(&out);
            command.arg("--exec").arg(format!("md5sum \"$CAPITANA_OUT\" >> {}", log.display()));
            Ok(command)
        })?;
        process.start().await?;
        let torn = Arc::<AtomicUsize>::default();
        let reader = tokio::spawn(read_on(path.clone(), Arc::clone(&torn)));
        Ok(Self { process, path, told, torn, reader })
    }

    /// The targets in the file.
    pub(super) fn targets(&self) -> Result<BTreeSet<String>> {
        read(&self.path)
    }

    /// How often it was told of a change.
    pub(super) fn told(&self) -> usize {
        fs::read_to_string(&self.told).unwrap_or_default().lines().count()
    }

    /// Ends it. Answers how often the file was there and not whole.
    pub(super) async fn stop(self) -> Result<usize> {
        self.reader.abort();
        ensure!(self.process.pid().is_some(), "capitana services has ended by itself");
        self.process.stop().await?;
        Ok(self.torn.load(Ordering::SeqCst))
    }
}

async fn read_on(path: PathBuf, torn: Arc<AtomicUsize>) {
    loop {
        if path.exists() && read(&path).is_err() {
            torn.fetch_add(1, Ordering::SeqCst);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn read(path: &Path) -> Result<BTreeSet<String>> {
    let text = fs::read_to_string(path)?;
    let groups: Vec<Value> = serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))?;
    Ok(groups.iter().filter_map(|group| group["targets"][0].as_str().map(str::to_owned)).collect())
}
