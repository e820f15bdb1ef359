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
        "Widen net.ipv4.ip_local_port_range, or set source-addresses.";
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

/// What a daemon needs beside its sessions and threads: ZooKeeper, the admin endpoint, the log.
const OTHER_FILES: u64 = 64;
/// What each thread that relays needs, beside a listener for each address.
const FILES_OF_A_THREAD: u64 = 4;
/// A proxy that has no limit of its own is expected to take as many sessions. Below it the limit of descriptors is one that
/// nobody chose for a proxy, such as the 1,024 of a shell.
const EXPECTED_SESSIONS: u64 = 1_000;
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

/// What is known of the proxy that runs here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Proxy {
    /// How many sessions it may have on all its listeners; none: as many as descriptors allow.
    pub most: Option<u64>,
    /// How many of them one server gets; none: all.
    pub upstream: Option<u64>,
    /// Its threads that relay.
    pub threads: u64,
    /// The addresses that it listens on.
    pub listeners: u64,
    /// The addresses it connects from, each of which has all local ports. At least one counts.
    pub sources: u64,
}

impl Proxy {
    /// How many descriptors it takes beside its sessions, each of which takes two.
    fn kept(&self) -> u64 {
        OTHER_FILES
            .saturating_add(self.threads.saturating_mul(FILES_OF_A_THREAD.saturating_add(self.listeners)))
    }

    fn files(&self, files: u64) -> Option<Finding> {
        let allowed = files.saturating_sub(self.kept()) / 2;
        let found = match self.most {
            Some(most) if allowed < most => {
                let needed = most.saturating_mul(2).saturating_add(self.kept());
                format!("{most} sessions take {needed} descriptors, this shell may have {files}")
            }
            None if allowed < EXPECTED_SESSIONS => {
                format!("the {files} descriptors that this shell may have allow {allowed} sessions")
            }
            _ => return None,
        };
        Some(FILES.at(Host::SUBJECT, found))
    }

    /// Only numbers that somebody has set are measured: descriptors nearly always allow more sessions than there are ports,
    /// and nobody asked for so many.
    fn ports(&self, ports: u64) -> Option<Finding> {
        let asked = self.most.into_iter().chain(self.upstream).min()?;
        let ports = ports.saturating_mul(self.sources.max(1));
        let found = format!("there are {ports} local ports for {asked} sessions with one server");
        (ports < asked).then(|| PORTS.at(Host::SUBJECT, found))
    }
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
    /// The proxy, where there is one.
    pub proxy: Option<Proxy>,
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
        if let Some(proxy) = &self.proxy {
            findings.extend(self.files.and_then(|files| proxy.files(files)));
            findings.extend(self.ports.and_then(|ports| proxy.ports(ports)));
        }
        if let Some(retries) = self.retries.filter(|retries| *retries > PATIENT_RETRIES) {
            findings.push(RETRIES.at(Self::SUBJECT, format!("net.ipv4.tcp_retries2 is {retries}")));
        }
        findings.extend(self.secrets.iter().filter_map(readable));
        findings.extend(self.state.iter().flat_map(State::examine));
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
