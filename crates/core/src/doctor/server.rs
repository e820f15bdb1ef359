//! Judges MariaDB's global variables. Galera's options are in `galera`, the account in `account`, versions in `bugs`.

use std::collections::BTreeMap;

use super::finding::{Finding, Kind, kinds};
use super::galera::{self, Options};
use super::units::is_on;

kinds! {
    FLUSH_LOG = Warning "DB-FLUSH-LOG",
        "Commits are acknowledged before they are on disk: nodes that crash soon after one another lose them (Jepsen's report of MariaDB Galera 12.1.2 shows it).",
        "Set innodb_flush_log_at_trx_commit=1.";
    SYNC_BINLOG = Warning "DB-SYNC-BINLOG",
        "After a crash the binary log may lack the last transactions: replicas that read it, and backups, lose them.",
        "Set sync_binlog=1, or switch the binary log off where nobody reads it.";
    DOUBLEWRITE = Warning "DB-DOUBLEWRITE",
        "A page half written at a crash cannot be repaired: the node has to be built anew.",
        "Set innodb_doublewrite=ON, unless the file system writes pages as a whole.";
    WSREP_OFF = Danger "DB-WSREP-OFF",
        "What is written here reaches no other node: it is lost when another leads.",
        "Set wsrep_on=ON.";
    BINLOG_FORMAT = Danger "DB-BINLOG-FORMAT",
        "Galera replicates rows: with another format writes are not replicated as they were made.",
        "Set binlog_format=ROW.";
    AUTOINC = Warning "DB-AUTOINC",
        "Appliers deadlock on locks of AUTO_INCREMENT in another mode than 2.",
        "Set innodb_autoinc_lock_mode=2 and restart.";
    CERTIFY = Warning "DB-CERTIFY-NONPK",
        "Rows of tables without a primary key are not certified: nodes come to differ.",
        "Set wsrep_certify_nonPK=ON, and give every table a primary key.";
    SST_BLOCKING = Warning "DB-SST-BLOCKING",
        "A donor stands still while it feeds another node by this method, and gives up the lead if it leads.",
        "Set wsrep_sst_method=mariabackup.";
    SST_DONOR = Info "DB-SST-DONOR",
        "Any node may be chosen as donor, the primary too.",
        "Name the nodes that should feed others in wsrep_sst_donor, with a comma at the end to allow the rest.";
    APPLIERS = Info "DB-APPLIERS",
        "One applier is slower than many writers: the queue grows, and flow control holds the whole cluster back.",
        "Set wsrep_slave_threads to two to four times the cores.";
    DESYNC = Warning "DB-DESYNC",
        "A node that was desynchronised by hand is not fit to lead, and falls behind without holding others back.",
        "Set wsrep_desync=OFF when the work is done.";
    SYNC_WAIT = Info "DB-SYNC-WAIT",
        "Each statement of these kinds waits until the node has applied what others committed. The agent's checks do not.",
        "Leave it if stale reads on other nodes would hurt; the primary alone does not need it.";
    CONNECT_ERRORS = Warning "DB-CONNECT-ERRORS",
        "Handshakes that clients break off count against the proxy's address: it is blocked for everybody (error 1129).",
        "Set skip_name_resolve=ON, with which MariaDB does not count, or max_connect_errors=1000000.";
    NAME_RESOLVE = Info "DB-NAME-RESOLVE",
        "Each new connection waits for the name server, and none gets in while that does not answer.",
        "Set skip_name_resolve=ON, and use addresses in accounts.";
    EXTRA_PORT = Info "DB-EXTRA-PORT",
        "When max_connections is reached the agent gets no new connection either.",
        "Set extra_port, and use it in `server`.";
    CONNECTIONS = Warning "DB-MAX-CONNECTIONS",
        "The proxy lets more sessions through than the server takes: clients get error 1040 instead of waiting their turn.",
        "Keep max-upstream-connections of all proxies together below max_connections.";
    PROXY_NETWORKS = Danger "DB-PROXY-NETWORKS",
        "Every host may say which address it comes from: accounts are protected by their password alone.",
        "Name the proxies' addresses in proxy_protocol_networks.";
    PROXY_HEADER_TWICE = Info "DB-PROXY-HEADER-TWICE",
        "MariaDB takes a second PROXY header from the client behind the proxy (MDEV-40878). capitana's proxy refuses such a client; others do not.",
        "Name only addresses of capitana's proxies in proxy_protocol_networks.";
    CLOCK = Warning "DB-CLOCK",
        "Logs, timestamps and expiry times of two hosts do not agree.",
        "Run chrony or systemd-timesyncd on both.";
}

/// The variables that are looked at.
pub const VARIABLES: &[&str] = &[
    "innodb_flush_log_at_trx_commit",
    "sync_binlog",
    "log_bin",
    "innodb_doublewrite",
    "wsrep_on",
    "wsrep_provider",
    "wsrep_provider_options",
    "binlog_format",
    "innodb_autoinc_lock_mode",
    "wsrep_certify_nonpk",
    "wsrep_sst_method",
    "wsrep_sst_donor",
    "wsrep_slave_threads",
    "wsrep_desync",
    "wsrep_sync_wait",
    "max_connect_errors",
    "skip_name_resolve",
    "max_connections",
    "extra_port",
    "proxy_protocol_networks",
    "version",
];

/// The status that is looked at.
pub const STATUS: &[&str] = &["wsrep_cluster_size", "wsrep_cluster_weight"];

/// So many handshakes broken off in a row are no accident any more.
const MANY_ERRORS: u64 = 100_000;
/// So far, in seconds, the clocks may be apart: the time has a resolution of a second, and the answer takes its time.
const CLOCKS_APART: f64 = 1.0;

/// What is known of a server.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Server {
    /// What it is called in findings.
    pub subject: String,
    /// Global variables and status, by name.
    pub values: BTreeMap<String, String>,
    /// How far its clock is before this host's, in seconds.
    pub ahead: Option<f64>,
    /// The most sessions a proxy gives it, where the proxy has a limit.
    pub sessions: Option<u64>,
}

impl Server {
    /// A value; none where the server has no such variable.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The same as a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.trim().parse().ok()
    }

    fn is_on(&self, name: &str) -> Option<bool> {
        self.text(name).map(is_on)
    }

    /// Whether it has a Galera provider.
    #[must_use]
    pub fn is_galera(&self) -> bool {
        self.text("wsrep_provider").is_some_and(|provider| !provider.is_empty() && provider != "none")
    }

    /// Galera's options.
    #[must_use]
    pub fn options(&self) -> Options {
        Options::parse(self.text("wsrep_provider_options").unwrap_or_default())
    }

    /// What speaks against it.
    #[must_use]
    pub fn examine(&self) -> Vec<Finding> {
        let mut findings = self.durability();
        findings.extend(self.clients());
        findings.extend(self.proxy_protocol());
        findings.extend(self.clock());
        if self.is_galera() {
            findings.extend(self.replication());
            findings.extend(self.transfer());
            findings.extend(self.options().examine(&self.subject));
            let size = self.number("wsrep_cluster_size").unwrap_or(0);
            findings.extend(galera::votes(
                &self.subject,
                size,
                self.number("wsrep_cluster_weight").unwrap_or(0),
            ));
        }
        findings
    }

    /// The finding that `name` has a value that `bad` takes for one.
    fn when(&self, kind: Kind, name: &str, bad: impl Fn(&str) -> bool) -> Option<Finding> {
        let value = self.text(name).filter(|value| bad(value))?;
        let shown = if value.is_empty() { "not set" } else { value };
        Some(kind.at(&self.subject, format!("{name} is {shown}")))
    }

    fn durability(&self) -> Vec<Finding> {
        let binlog = self.is_on("log_bin") == Some(true);
        let findings = [
            self.when(FLUSH_LOG, "innodb_flush_log_at_trx_commit", |value| value != "1"),
            self.when(SYNC_BINLOG, "sync_binlog", |value| binlog && value != "1"),
            self.when(DOUBLEWRITE, "innodb_doublewrite", |value| !is_on(value)),
        ];
        findings.into_iter().flatten().collect()
    }

    fn replication(&self) -> Vec<Finding> {
        let findings = [
            self.when(WSREP_OFF, "wsrep_on", |value| !is_on(value)),
            self.when(BINLOG_FORMAT, "binlog_format", |value| value != "ROW"),
            self.when(AUTOINC, "innodb_autoinc_lock_mode", |value| value != "2"),
            self.when(CERTIFY, "wsrep_certify_nonpk", |value| !is_on(value)),
            self.when(APPLIERS, "wsrep_slave_threads", |value| value == "1"),
            self.when(DESYNC, "wsrep_desync", is_on),
            self.when(SYNC_WAIT, "wsrep_sync_wait", |value| value != "0"),
        ];
        findings.into_iter().flatten().collect()
    }

    fn transfer(&self) -> Vec<Finding> {
        let blocking = |method: &str| method == "rsync" || method == "mysqldump";
        let findings = [
            self.when(SST_BLOCKING, "wsrep_sst_method", blocking),
            self.when(SST_DONOR, "wsrep_sst_donor", str::is_empty),
        ];
        findings.into_iter().flatten().collect()
    }

    fn clients(&self) -> Vec<Finding> {
        let resolves = self.is_on("skip_name_resolve") == Some(false);
        let few = |value: &str| resolves && value.parse::<u64>().is_ok_and(|errors| errors < MANY_ERRORS);
        let findings = [
            self.when(CONNECT_ERRORS, "max_connect_errors", few),
            self.when(NAME_RESOLVE, "skip_name_resolve", |value| !is_on(value)),
            self.when(EXTRA_PORT, "extra_port", |value| value == "0"),
            self.too_many_sessions(),
        ];
        findings.into_iter().flatten().collect()
    }

    fn too_many_sessions(&self) -> Option<Finding> {
        let (sessions, most) = (self.sessions?, self.number("max_connections")?);
        let found = format!("max_connections is {most}, max-upstream-connections of one proxy {sessions}");
        (sessions >= most).then(|| CONNECTIONS.at(&self.subject, found))
    }

    fn proxy_protocol(&self) -> Option<Finding> {
        let networks = self.text("proxy_protocol_networks").filter(|networks| !networks.is_empty())?;
        let everybody = networks.split([',', ' ']).any(|network| network == "*" || network.ends_with("/0"));
        let kind = if everybody { PROXY_NETWORKS } else { PROXY_HEADER_TWICE };
        Some(kind.at(&self.subject, format!("proxy_protocol_networks is {networks}")))
    }

    fn clock(&self) -> Option<Finding> {
        let ahead = self.ahead.filter(|ahead| ahead.abs() > CLOCKS_APART)?;
        let direction = if ahead > 0.0 { "ahead of" } else { "behind" };
        Some(CLOCK.at(&self.subject, format!("its clock is {:.1} s {direction} this host's", ahead.abs())))
    }
}
