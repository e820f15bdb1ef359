//! Judges a ZooKeeper ensemble: how many servers, which of them serve, and how its times go with the session timeout.

use std::time::Duration;

use super::finding::{Finding, kinds};
use super::words::{Answer, Words};

kinds! {
    STANDALONE = Warning "ZK-STANDALONE",
        "One ZooKeeper server is a single point of failure: while it is down nobody else can be elected.",
        "Run an ensemble of three servers, on three hosts.";
    EVEN = Warning "ZK-EVEN",
        "An even number of servers survives no more failures than one server less, and has one more that can fail.",
        "Add a server or take one away: three or five.";
    SERVER_DOWN = Warning "ZK-SERVER-DOWN",
        "An ensemble serves while more than half of its servers do: each that is down is one failure less to survive.",
        "Start it, open the way to it, or correct `zookeeper`.";
    PARTIAL_LIST = Info "ZK-LIST-PARTIAL",
        "A daemon that knows only some of the servers is cut off when those are down, though the ensemble serves.",
        "Name every server in `zookeeper`.";
    TIMEOUT_CHANGED = Warning "ZK-TIMEOUT",
        "ZooKeeper grants between 2 and 20 of its ticks: a dead machine keeps its candidacy for what is granted.",
        "Change zookeeper-session-timeout, or tickTime, minSessionTimeout and maxSessionTimeout of the servers.";
    SYNC_LIMIT = Warning "ZK-SYNC-LIMIT",
        "A server cut off from the leader answers pings until syncLimit ticks are over: an agent connected to it learns that its session has expired after another node was elected.",
        "Lower syncLimit on the servers (2 with tickTime=2000), or raise zookeeper-session-timeout above syncLimit * tickTime.";
    WORDS_UNSEEN = Info "ZK-WORDS-UNSEEN",
        "syncLimit, tickTime and the disk's times are seen only by four-letter words, of which ZooKeeper allows srvr alone by default.",
        "Set 4lw.commands.whitelist=srvr,conf,mntr on the servers, or check syncLimit * tickTime by hand.";
    SLOW_DISK = Warning "ZK-DISK-SLOW",
        "ZooKeeper answers nothing while it waits for its disk: a wait of half the session timeout brings sessions near their end.",
        "Give dataLogDir a disk of its own.";
    CLEAR = Info "ZK-CLEAR",
        "Without TLS whoever is on the way to ZooKeeper can read and change what the election says.",
        "Set zookeeper-tls, or keep ZooKeeper in a network of its own.";
    CLEAR_PASSWORD = Warning "ZK-PASSWORD-CLEAR",
        "The digest scheme sends name and password as they are: without TLS whoever is on the way can read them.",
        "Set zookeeper-tls.";
}

/// What is known of an ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ensemble {
    /// What it is called in findings.
    pub subject: String,
    /// The session timeout that was asked for.
    pub asked: Duration,
    /// The one that was granted. None: there was no session.
    pub granted: Option<Duration>,
    /// Whether it is reached over TLS.
    pub tls: bool,
    /// Whether it is told a name and a password.
    pub named: bool,
    /// What its servers say. Empty where they could not be asked.
    pub servers: Vec<Words>,
    /// How many servers the connect string names.
    pub listed: usize,
}

impl Ensemble {
    /// What speaks against it.
    #[must_use]
    pub fn examine(&self) -> Vec<Finding> {
        let mut findings = self.size();
        findings.extend(self.servers.iter().filter_map(down));
        findings.extend(self.granted.and_then(|granted| self.timeout(granted)));
        findings.extend(self.sync_limit());
        findings.extend(self.disks());
        findings.extend(self.unseen());
        findings.extend(self.transport());
        findings
    }

    /// An observer has no vote: the failures that an ensemble survives are those of its voters. Every server that is not
    /// named counts, because daemons can use each.
    fn size(&self) -> Vec<Finding> {
        let most = |count: fn(&Words) -> Option<usize>| self.servers.iter().filter_map(count).max();
        let observers = self.servers.iter().filter(|server| server.mode() == Some("observer")).count();
        // Where observers alone are named nothing is known of the others.
        let named = self.listed.saturating_sub(observers);
        let voters = most(Words::voters).or((named > 0).then_some(named));
        let size = most(Words::members).unwrap_or(self.listed);
        let mut findings = Vec::new();
        let alone = self.servers.iter().any(|server| server.mode() == Some("standalone"));
        if alone || voters == Some(1) {
            findings.push(STANDALONE.at(&self.subject, "there is one server that votes"));
        } else if let Some(voters) = voters.filter(|voters| voters.is_multiple_of(2)) {
            findings.push(EVEN.at(&self.subject, format!("there are {voters} servers that vote")));
        }
        if size > self.listed {
            let found = format!("{} of {size} servers are named in `zookeeper`", self.listed);
            findings.push(PARTIAL_LIST.at(&self.subject, found));
        }
        findings
    }

    fn timeout(&self, granted: Duration) -> Option<Finding> {
        let found = format!("asked for a session timeout of {:?}, granted {granted:?}", self.asked);
        (granted != self.asked).then(|| TIMEOUT_CHANGED.at(&self.subject, found))
    }

    fn session(&self) -> Duration {
        self.granted.unwrap_or(self.asked)
    }

    /// One finding for the ensemble: its servers should all have the same.
    fn sync_limit(&self) -> Option<Finding> {
        let limit = self.servers.iter().filter_map(Words::sync_limit).max()?;
        let found = format!(
            "syncLimit * tickTime is {limit:?}, and not below the session timeout of {:?}",
            self.session()
        );
        (limit >= self.session()).then(|| SYNC_LIMIT.at(&self.subject, found))
    }

    fn disks(&self) -> Vec<Finding> {
        let slow = |server: &Words| {
            let longest = server.slowest_sync().filter(|longest| *longest * 2 >= self.session())?;
            let found = format!("it has waited {longest:?} for its disk since its start");
            Some(SLOW_DISK.at(&subject(server), found))
        };
        self.servers.iter().filter_map(slow).collect()
    }

    fn unseen(&self) -> Option<Finding> {
        if self.servers.is_empty() {
            return Some(WORDS_UNSEEN.at(&self.subject, "four-letter words are not asked over TLS"));
        }
        let refused: Vec<_> = self
            .servers
            .iter()
            .filter(|server| server.conf == Answer::NotAllowed)
            .map(|s| s.address.as_str())
            .collect();
        let found = format!("conf is not allowed on {}", refused.join(", "));
        (!refused.is_empty()).then(|| WORDS_UNSEEN.at(&self.subject, found))
    }

    fn transport(&self) -> Option<Finding> {
        match (self.tls, self.named) {
            (true, _) => None,
            (false, true) => {
                Some(CLEAR_PASSWORD.at(&self.subject, "zookeeper-auth-file is set, and zookeeper-tls is not"))
            }
            (false, false) => Some(CLEAR.at(&self.subject, "zookeeper-tls is not set")),
        }
    }
}

fn subject(server: &Words) -> String {
    format!("ZooKeeper {}", server.address)
}

fn down(server: &Words) -> Option<Finding> {
    let found = match &server.srvr {
        Answer::Silent(cause) => format!("it does not answer: {cause}"),
        Answer::NotServing => "it runs and does not serve: it has no quorum".to_owned(),
        Answer::Said(_) | Answer::NotAllowed => return None,
    };
    Some(SERVER_DOWN.at(&subject(server), found))
}
