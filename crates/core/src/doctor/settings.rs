//! Judges capitana's own settings: what is allowed, and unwise. Settings that cannot be used are errors, and not here.

use std::time::Duration;

use super::finding::{Finding, kinds};

kinds! {
    ODD = Warning "SETTINGS-ODD",
        "A setting is accepted and probably not what was meant.",
        "Correct it.";
    DIFFER = Warning "SETTINGS-DIFFER",
        "An agent and a proxy of one cluster must look at the same election.",
        "Make `zookeeper` and `election-path` the same in both files.";
    LIVE = Info "CONFIG-LIVE",
        "What is in ZooKeeper beats the file in every daemon: the findings are about both together.",
        "Nothing: `capitana config get` prints them.";
    LIVE_UNUSED = Warning "CONFIG-LIVE-UNUSED",
        "Daemons use no part of settings that they cannot read or use, but the last ones that they could: the findings are about the file alone.",
        "Correct what the error names: `capitana config set` or `capitana config rollback`.";
    ADMIN_REACHABLE = Info "ADMIN-REACHABLE",
        "The admin endpoint has no password: who reaches it can read status, metrics and settings, and end a proxy's sessions.",
        "Let only the other agents, Prometheus and operators reach it.";
    ADMIN_EVERYWHERE = Warning "ADMIN-EVERYWHERE",
        "The admin endpoint has no password and listens on every address, those of clients too.",
        "Set admin-listen to one address of an inner network.";
    FENCE_OFF = Info "FENCE-OFF",
        "A node whose agent is cut off from ZooKeeper goes on taking writes from whoever still reaches it, after another was elected.",
        "Set fence to read-only or reject.";
    FENCE_ALONE = Warning "FENCE-UNREACHABLE",
        "The other agents cannot ask this one whether ZooKeeper still answers, so they may take an outage of ZooKeeper for one of their own.",
        "Set admin-advertise, and admin-listen to an address that the others reach.";
    CANARY_OFF = Info "CANARY-OFF",
        "A server that says it is well and cannot commit goes on leading.",
        "Set canary=true.";
    NO_MONITOR = Warning "PROXY-NO-MONITOR",
        "Without an account there is no barrier, so a first read may miss a write, and sessions are cut where they could be drained.",
        "Set monitor-user, with the PROCESS privilege.";
    ALLOW_ANY = Info "PROXY-ALLOW-ANY",
        "The proxy follows whatever a candidate's znode names.",
        "Name the databases' network in allow-upstreams.";
    HOLD_SHORT = Warning "PROXY-HOLD-SHORT",
        "Clients that come when the primary's host dies are refused before another can be elected.",
        "Set hold-timeout above zookeeper-session-timeout, and connect timeouts of clients above hold-timeout.";
}

/// What is known of a daemon's admin endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admin {
    /// On this host only.
    Loopback,
    /// On one address that others may reach.
    One,
    /// On every address.
    Everywhere,
}

/// What is known of the agent's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// What it is called in findings: its settings file.
    pub subject: String,
    /// Its admin endpoint.
    pub admin: Admin,
    /// Whether it fences.
    pub fences: bool,
    /// Whether it asks others first.
    pub asks_others: bool,
    /// Whether others can ask it.
    pub is_advertised: bool,
    /// Whether its checks commit a row.
    pub canary: bool,
}

/// What is known of the proxy's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// What it is called in findings: its settings file.
    pub subject: String,
    /// Its admin endpoint.
    pub admin: Admin,
    /// Whether it follows an election.
    pub follows: bool,
    /// Whether it has a monitoring account.
    pub has_monitor: bool,
    /// Whether every upstream is allowed.
    pub allows_any: bool,
    /// How long it keeps clients waiting.
    pub hold: Duration,
    /// Its session timeout.
    pub session: Duration,
}

impl Agent {
    /// What speaks against them.
    #[must_use]
    pub fn examine(&self) -> Vec<Finding> {
        let mut findings: Vec<_> = self.admin.examine(&self.subject).into_iter().collect();
        if !self.fences {
            findings.push(FENCE_OFF.at(&self.subject, "fence is off"));
        }
        if self.fences && self.asks_others && !self.is_advertised {
            findings.push(FENCE_ALONE.at(&self.subject, "fence-quorum is on, and no admin-advertise is set"));
        }
        if !self.canary {
            findings.push(CANARY_OFF.at(&self.subject, "canary is off"));
        }
        findings
    }
}

impl Proxy {
    /// What speaks against them.
    #[must_use]
    pub fn examine(&self) -> Vec<Finding> {
        let mut findings: Vec<_> = self.admin.examine(&self.subject).into_iter().collect();
        if !self.follows {
            return findings;
        }
        if !self.has_monitor {
            findings.push(NO_MONITOR.at(&self.subject, "monitor-user is not set"));
        }
        if self.allows_any {
            findings.push(ALLOW_ANY.at(&self.subject, "allow-upstreams is not set"));
        }
        if self.hold <= self.session {
            let found =
                format!("hold-timeout is {:?}, zookeeper-session-timeout {:?}", self.hold, self.session);
            findings.push(HOLD_SHORT.at(&self.subject, found));
        }
        findings
    }
}

impl Admin {
    fn examine(self, subject: &str) -> Option<Finding> {
        match self {
            Self::Loopback => None,
            Self::One => Some(ADMIN_REACHABLE.at(subject, "admin-listen is not a loopback address")),
            Self::Everywhere => Some(ADMIN_EVERYWHERE.at(subject, "admin-listen is every address")),
        }
    }
}
