//! A real Prometheus that asks `/sd`, and what its own API says of its targets.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::http;
use crate::lab::Lab;
use crate::process::Process;
use crate::wait::wait_until;

const PROGRAM: &str = "/usr/bin/prometheus";
/// How often it asks.
pub(super) const REFRESH: Duration = Duration::from_secs(1);
/// What it does with an answer takes up to this: its discovery passes changes on every 5 s, which cannot be set (`updatert`
/// in its discovery manager), and its scraping takes them over every second here (5 s where nobody says otherwise).
pub(super) const OWN_TIME: Duration = Duration::from_secs(6);
const READY: Duration = Duration::from_secs(60);

/// The running server.
pub(super) struct Prometheus {
    process: Process,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts one that asks these admin endpoints.
    pub(super) async fn start(lab: &Lab, asked: &[SocketAddr]) -> Result<Self> {
        ensure!(Path::new(PROGRAM).is_file(), "there is no {PROGRAM}: scripts/install test installs it");
        let address = SocketAddr::from((lab.slot().proxy(0), 9090));
        let directory = lab.slot().directory().join("prometheus");
        fs::create_dir_all(&directory)?;
        let config = directory.join("prometheus.yml");
        fs::write(&config, settings(asked))?;
        let process = lab.process("prometheus", move || {
            let mut command = Command::new(PROGRAM);
            command.arg(format!("--config.file={}", config.display()));
            command.arg(format!("--storage.tsdb.path={}", directory.join("data").display()));
            command.arg(format!("--web.listen-address={address}"));
            command.arg("--scrape.discovery-reload-interval=1s");
            Ok(command)
        })?;
        process.start().await?;
        let what = format!("Prometheus is ready (log: {})", process.log_path().display());
        let ready =
            async || http::get(address, "/-/ready").await.ok().filter(|(status, _)| status.is_success());
        wait_until(READY, &what, ready).await?;
        Ok(Self { process, address })
    }

    /// The addresses of its targets now.
    pub(super) async fn targets(&self) -> Result<BTreeSet<String>> {
        Ok(self.active().await?.iter().filter_map(|target| text(target, "instance")).collect())
    }

    /// How many of its targets it has scraped, of those of `kind`, which its relabelling has made a label.
    pub(super) async fn scraped(&self, kind: &str) -> Result<usize> {
        let active = self.active().await?;
        let of_kind = active.iter().filter(|target| text(target, "kind").as_deref() == Some(kind));
        Ok(of_kind.filter(|target| target["health"] == "up").count())
    }

    /// Its end.
    pub(super) async fn stop(&self) -> Result<()> {
        self.process.stop().await.map(drop)
    }

    async fn active(&self) -> Result<Vec<Value>> {
        let answer: Value = http::get_json(self.address, "/api/v1/targets?state=active").await?;
        let targets = answer.pointer("/data/activeTargets").and_then(Value::as_array);
        targets.cloned().with_context(|| format!("no targets in {answer}"))
    }
}

fn text(target: &Value, label: &str) -> Option<String> {
    target["labels"][label].as_str().map(str::to_owned)
}

fn settings(asked: &[SocketAddr]) -> String {
    let refresh = REFRESH.as_secs();
    let mut text = String::from(
        "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: capitana\n    relabel_configs:\n      - \
         {source_labels: [__meta_capitana_kind], target_label: kind}\n      - \
         {source_labels: [__meta_capitana_node], target_label: node}\n    http_sd_configs:\n",
    );
    for admin in asked {
        text += &format!("      - url: http://{admin}/sd\n        refresh_interval: {refresh}s\n");
    }
    text
}
