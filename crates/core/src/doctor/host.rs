//! Judges the host: clock, descriptors, ports, the kernel's patience, files with secrets, the agent's state directory.

use super::finding::{Finding, kinds};

kinds! {
    CLOCK = Warning "HOST-CLOCK",
        "A clock that nobody sets drifts: logs of several hosts cannot be put in order. Elections do not depend on it.",
        "Run chrony or systemd-timesyncd.";
    FILES = Warning "HOST-FILES",
        "Each session takes two descriptors: when they run out, clients wait outside.",
        "Raise LimitNOFILE in the unit (or ulimit -Hn), or lower max-connections.";
    PORTS = Warning "HOST-PORTS",
        "Each session to the primary takes a local port: when they run out, dials fail.",
        "Widen net.ipv4.ip_local_port_range.";
    RETRIES = Info "HOST-TCP-RETRIES",
        "A session with data on its way to a host that has vanished hangs until the kernel gives up; capitana ends it with its epoch, other programs do not.",
        "Set net.ipv4.tcp_retries2 to 8 (about 100 s) or below.";
    SECRET = Danger "SECRET-READABLE",
        "Everybody on this host can read the secret, and act as capitana.",
        "chmod o-rwx the file, and change the secret.";
    STATE_MISSING = Warning "STATE-MISSING",
        "Without its state directory a restarted agent does not know its session, nor a fence it has set.",
        "Create it for the agent's user with mode 0700, or set state-directory.";
    STATE_UNWRITABLE = Warning "STATE-UNWRITABLE",
        "An agent that cannot write its state does not know its session after a restart, nor a fence it has set.",
        "chown it to the agent's user.";
    STATE_READABLE = Warning "STATE-READABLE",
        "The state holds the password of the ZooKeeper session: who has it can act in the session.",
        "chmod 0700 the directory.";
}

/// What a daemon needs beside its sessions: listeners, ZooKeeper, the log.
const OTHER_FILES: u64 = 64;
/// 2 to the power of 8 times the first timeout of 200 ms, in sum: about 100 s (tcp(7)).
const PATIENT_RETRIES: u64 = 8;

/// A file that holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Where.
    pub path: String,
    /// Its permission bits.
    pub mode: u32,
}

/// The agent's state directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Where.
    pub path: String,
    /// Its permission bits; none: there is no such directory.
    pub mode: Option<u32>,
    /// Whether this user may write into it.
    pub writable: bool,
}

/// What is known of a host. What could not be seen is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Host {
    /// Whether the kernel holds its clock for synchronised.
    pub clock_synchronised: Option<bool>,
    /// How many descriptors a process may have at most.
    pub files: Option<u64>,
    /// How many local ports there are for outgoing connections.
    pub ports: Option<u64>,
    /// `net.ipv4.tcp_retries2`.
    pub retries: Option<u64>,
    /// How many sessions the proxy may have, where it has a limit.
    pub sessions: Option<u64>,
    /// Files with secrets.
    pub secrets: Vec<Secret>,
    /// The agent's state directory, where there is an agent.
    pub state: Option<State>,
}

impl Host {
    /// What it is called in findings.
    pub const SUBJECT: &'static str = "this host";

    /// What speaks against it.
    #[must_use]
    pub fn examine(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.clock_synchronised == Some(false) {
            findings.push(CLOCK.at(Self::SUBJECT, "the kernel says that its clock is not synchronised"));
        }
        findings.extend(self.sessions.into_iter().flat_map(|sessions| self.room(sessions)));
        if let Some(retries) = self.retries.filter(|retries| *retries > PATIENT_RETRIES) {
            findings.push(RETRIES.at(Self::SUBJECT, format!("net.ipv4.tcp_retries2 is {retries}")));
        }
        findings.extend(self.secrets.iter().filter_map(readable));
        findings.extend(self.state.iter().flat_map(State::examine));
        findings
    }

    fn room(&self, sessions: u64) -> Vec<Finding> {
        let mut findings = Vec::new();
        let needed = sessions.saturating_mul(2).saturating_add(OTHER_FILES);
        if let Some(files) = self.files.filter(|files| *files < needed) {
            let found = format!("{sessions} sessions take {needed} descriptors, this shell may have {files}");
            findings.push(FILES.at(Self::SUBJECT, found));
        }
        if let Some(ports) = self.ports.filter(|ports| *ports < sessions) {
            findings.push(
                PORTS.at(Self::SUBJECT, format!("there are {ports} local ports for {sessions} sessions")),
            );
        }
        findings
    }
}

fn readable(secret: &Secret) -> Option<Finding> {
    let found = format!("{} has mode {:04o}", secret.path, secret.mode & 0o7777);
    (secret.mode & 0o007 != 0).then(|| SECRET.at(Host::SUBJECT, found))
}

impl State {
    fn examine(&self) -> Vec<Finding> {
        let Some(mode) = self.mode else {
            return vec![STATE_MISSING.at(Host::SUBJECT, format!("there is no directory {}", self.path))];
        };
        let mut findings = Vec::new();
        if !self.writable {
            findings.push(
                STATE_UNWRITABLE.at(Host::SUBJECT, format!("this user may not write into {}", self.path)),
            );
        }
        if mode & 0o007 != 0 {
            let found = format!("{} has mode {:04o}", self.path, mode & 0o7777);
            findings.push(STATE_READABLE.at(Host::SUBJECT, found));
        }
        findings
    }
}
