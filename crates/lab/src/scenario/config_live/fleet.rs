//! A fleet of real proxies and agents that have nothing to do but to follow their settings: when each took a version over,
//! and how its settings stand.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use serde::Deserialize;

use crate::http;
use crate::idle::Idle;
use crate::lab::Lab;
use crate::process::Process;
use crate::wait::wait_until;

/// A hundred processes on two busy cores take some seconds to start; anything else is a matter of milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// One process.
pub(super) struct Follower {
    pub(super) process: Process,
    admin: SocketAddr,
    pub(super) kind: &'static str,
}

/// How its settings stand, as it says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Stands {
    pub(super) standing: String,
    pub(super) version: Option<i32>,
    pub(super) newest: Option<i32>,
    pub(super) error: Option<String>,
}

#[derive(Deserialize)]
struct Status {
    config: Stands,
}

/// A line of its log.
#[derive(Deserialize)]
struct Line {
    timestamp: String,
    message: Option<String>,
    version: Option<i32>,
}

impl Follower {
    /// Number `index` of this kind, not started.
    pub(super) fn new(lab: &Lab, kind: &'static str, index: usize) -> Result<Self> {
        let Idle { process, admin, kind } = Idle::new(lab, kind, index, &["--log-format=json"])?;
        Ok(Self { process, admin, kind })
    }

    /// How its settings stand.
    pub(super) async fn stands(&self) -> Result<Stands> {
        Ok(http::get_json::<Status>(self.admin, "/status").await?.config)
    }

    /// A setting that holds, as `/config` shows it: the value, without where it comes from.
    pub(super) async fn setting(&self, key: &str) -> Result<String> {
        let (_, lines) = http::get(self.admin, "/config").await?;
        let line = lines.lines().find_map(|line| line.strip_prefix(&format!("{key} = ")));
        let line = line.with_context(|| format!("{} shows no {key}", self.process.name()))?;
        Ok(line.split("  #").next().unwrap_or_default().to_owned())
    }

    /// When it took versions over, in milliseconds since 1970 UTC, as it logged it.
    fn taken_over(&self) -> Result<BTreeMap<i32, i64>> {
        let log = fs::read_to_string(self.process.log_path())?;
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let changes = lines.filter(|line| line.message.as_deref() == Some("settings changed"));
        changes
            .filter_map(|line| Some((line.version?, line.timestamp)))
            .map(|(version, time)| {
                let time = humantime::parse_rfc3339(&time)?.duration_since(UNIX_EPOCH)?;
                Ok((version, i64::try_from(time.as_millis())?))
            })
            .collect()
    }
}

/// All of them.
pub(super) struct Fleet(pub(super) Vec<Follower>);

impl Fleet {
    /// This many proxies and agents, running; they have read that there are no settings.
    pub(super) async fn start(lab: &Lab, proxies: usize, agents: usize) -> Result<Self> {
        let kinds = std::iter::repeat_n("proxy", proxies).chain(std::iter::repeat_n("agent", agents));
        let followers: Vec<_> =
            kinds.enumerate().map(|(index, kind)| Follower::new(lab, kind, index)).collect::<Result<_>>()?;
        for follower in &followers {
            follower.process.start().await?;
        }
        let fleet = Self(followers);
        fleet
            .all_stand(|_, stands| stands.standing == "absent", "has read that there are no settings")
            .await?;
        Ok(fleet)
    }

    /// Waits until each stands like that.
    pub(super) async fn all_stand(
        &self,
        how: impl Fn(&Follower, &Stands) -> bool + Copy,
        what: &str,
    ) -> Result<Duration> {
        let waits = self.0.iter().map(async |follower| {
            let what = format!(
                "{} {what} (log: {})",
                follower.process.name(),
                follower.process.log_path().display()
            );
            let stands = async || follower.stands().await.ok().filter(|stands| how(follower, stands));
            wait_until(PATIENCE, &what, stands).await
        });
        Ok(try_join_all(waits).await?.into_iter().map(|(_, took)| took).max().unwrap_or_default())
    }

    /// How long after `written` the last of this kind took the version over.
    pub(super) fn slowest(&self, kind: &str, version: i32, written: i64) -> Result<Duration> {
        let mut slowest = 0;
        for follower in self.0.iter().filter(|follower| follower.kind == kind) {
            let taken = follower.taken_over()?;
            let at = taken.get(&version).with_context(|| {
                format!("{} logs no change to version {version}", follower.process.name())
            })?;
            slowest = slowest.max(at - written);
        }
        Ok(Duration::from_millis(u64::try_from(slowest).unwrap_or_default()))
    }
}

/// Now, in milliseconds since 1970 UTC.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
