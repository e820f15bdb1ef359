//! Reads what a ZooKeeper server answers to its four-letter words `srvr`, `conf` and `mntr`. What follows from it is
//! judged in `ensemble`.

use std::time::Duration;

/// What a server said to one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// This.
    Said(String),
    /// That the word is not in `4lw.commands.whitelist`, where only `srvr` is by default (ZooKeeper 3.5 and newer).
    NotAllowed,
    /// That it does not serve at the moment, for want of a quorum.
    NotServing,
    /// Nothing, and why.
    Silent(String),
}

impl Answer {
    /// What a reply of a server means.
    #[must_use]
    pub fn read(reply: &str) -> Self {
        if reply.contains("is not executed because it is not in the whitelist") {
            Self::NotAllowed
        } else if reply.contains("not currently serving requests") {
            Self::NotServing
        } else if reply.trim().is_empty() {
            Self::Silent("it closed the connection without a word".to_owned())
        } else {
            Self::Said(reply.to_owned())
        }
    }

    /// The value behind `name` and one of `=`, `: ` and a tab.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(['=', ':', '\t']).map(str::trim))
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        let text = match self {
            Self::Said(text) => text.as_str(),
            _ => "",
        };
        text.lines()
    }
}

/// What one server of an ensemble says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// `host:port`, as in the connect string.
    pub address: String,
    /// State and version.
    pub srvr: Answer,
    /// Its settings.
    pub conf: Answer,
    /// Its counters.
    pub mntr: Answer,
}

impl Words {
    /// What it does, for people: `zk1:2181: follower`, `zk2:2181: connection refused`.
    #[must_use]
    pub fn state(&self) -> String {
        let state = match &self.srvr {
            Answer::Said(_) => self.mode().unwrap_or("not ZooKeeper"),
            Answer::NotAllowed => "runs",
            Answer::NotServing => "runs, and has no quorum",
            Answer::Silent(cause) => cause,
        };
        format!("{}: {state}", self.address)
    }

    /// `leader`, `follower`, `standalone`, ...
    #[must_use]
    pub fn mode(&self) -> Option<&str> {
        self.srvr.value("Mode")
    }

    /// How many servers its ensemble has, as far as it shows: the lines `server.N=...`.
    #[must_use]
    pub fn members(&self) -> Option<usize> {
        let count = self.conf.lines().filter(|line| line.starts_with("server.")).count();
        (count > 0).then_some(count)
    }

    /// How many of them vote: an observer follows the votes of the others, `server.N=host:port:port:observer;...`.
    #[must_use]
    pub fn voters(&self) -> Option<usize> {
        let observes = |line: &str| {
            let server = line.split(';').next().unwrap_or_default();
            server.trim().to_ascii_lowercase().ends_with(":observer")
        };
        let servers = self.conf.lines().filter(|line| line.starts_with("server."));
        let count = servers.filter(|line| !observes(line)).count();
        (count > 0).then_some(count)
    }

    /// How long one of its followers may lag behind the leader, or be cut off from it, before it says so:
    /// `syncLimit` ticks. None for a server alone.
    #[must_use]
    pub fn sync_limit(&self) -> Option<Duration> {
        let number = |name| self.conf.value(name)?.parse::<u64>().ok();
        Some(Duration::from_millis(number("tickTime")?.checked_mul(number("syncLimit")?)?))
    }

    /// The longest that it has waited for its disk.
    #[must_use]
    pub fn slowest_sync(&self) -> Option<Duration> {
        self.mntr.value("zk_max_fsynctime")?.parse().ok().map(Duration::from_millis)
    }
}
