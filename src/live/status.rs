//! How the settings of a daemon stand, for `/status`, `/config` and metrics. Written by `Live` alone.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use capitana_core::liveconfig::{Refused, Revision};
use capitana_core::services::ConfigInUse;
use serde::Serialize;

use crate::config::load::Effective;

/// How the settings in ZooKeeper stand with this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// They are not looked at (`config-path = "off"`, or a fixed primary).
    Off,
    /// They have not been read yet: the process has those of its start.
    NotRead,
    /// There are none.
    Absent,
    /// The newest version is in use.
    Applied,
    /// The newest version cannot be used, and why is said; the newest one that can is in use, if there is one.
    Refused,
    /// ZooKeeper does not let them be read, or shows older ones than before; what was in use stays so.
    Unreadable,
}

impl Standing {
    /// In a word.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::NotRead => "not-read",
            Self::Absent => "absent",
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Unreadable => "unreadable",
        }
    }
}

/// How the settings stand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConfigStatus {
    /// The znode.
    pub source: Option<String>,
    /// How what is in it stands.
    pub standing: Standing,
    /// The version that is in use.
    pub version: Option<i32>,
    /// When that was written, RFC 3339 UTC.
    pub mtime: Option<String>,
    /// The newest version that was read.
    pub newest: Option<i32>,
    /// Why the newest version is not in use.
    pub error: Option<String>,
    /// Settings that were changed in the file and take effect only after a restart.
    pub restart_needed: Vec<String>,
    /// Every setting as it holds and where it comes from: a settings file again.
    #[serde(skip)]
    pub lines: String,
}

impl ConfigStatus {
    /// Of a process that looks at none in ZooKeeper.
    #[must_use]
    pub fn off() -> Self {
        Self::at_start(None, &[])
    }

    /// At the start, with this znode and these settings.
    pub(super) fn at_start(source: Option<String>, effective: &[Effective]) -> Self {
        Self {
            standing: if source.is_some() { Standing::NotRead } else { Standing::Off },
            source,
            version: None,
            mtime: None,
            newest: None,
            error: None,
            restart_needed: Vec::new(),
            lines: lines(effective, &[]),
        }
    }

    /// What others are told of it.
    #[must_use]
    pub fn in_use(&self) -> ConfigInUse {
        ConfigInUse { version: self.version, standing: self.standing.label().to_owned() }
    }

    /// ZooKeeper has been read.
    pub(super) fn read(&mut self, newest: Option<i32>, used: Option<&Revision>, refused: Option<Refused>) {
        self.standing = match (newest, &refused) {
            (None, _) => Standing::Absent,
            (Some(_), None) => Standing::Applied,
            (Some(_), Some(_)) => Standing::Refused,
        };
        self.version = used.map(|used| used.version);
        self.mtime = used.map(|used| rfc3339(used.written_ms));
        self.newest = newest;
        self.error = refused.map(|refused| refused.why);
    }

    /// What ZooKeeper shows cannot be read, or is not believed.
    pub(super) fn unreadable(&mut self, why: String) {
        self.standing = Standing::Unreadable;
        self.error = Some(why);
    }
}

/// A time in milliseconds since 1970 UTC, for people.
#[must_use]
pub fn rfc3339(ms: i64) -> String {
    let since = Duration::from_millis(u64::try_from(ms).unwrap_or_default());
    let time: SystemTime = UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_millis(time).to_string()
}

/// The settings as `capitana check-config --show` prints them. What waits for a restart is marked.
pub(super) fn lines(effective: &[Effective], restart: &[String]) -> String {
    let line = |setting: &Effective| match restart.contains(&setting.key) {
        true => format!("{setting} (changed there: needs a restart)\n"),
        false => format!("{setting}\n"),
    };
    effective.iter().map(line).collect()
}
