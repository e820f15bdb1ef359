//! Owns the settings of a Galera node: its option file.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::PORT;
use super::disk::Disk;
use crate::slot::Slot;

/// Debian's `galera-4`.
const PROVIDER: &str = "/usr/lib/galera/libgalera_smm.so";

/// What a scenario may set.
#[derive(Debug, Clone, Default)]
pub(crate) struct GaleraOptions {
    /// How long the cluster waits for a silent member.
    pub(crate) timeouts: Timeouts,
    /// Options of the Galera provider, which beat the lab's own: `gcache.size=128M;...`.
    pub(crate) provider: String,
    /// Options of mariadbd, which beat the lab's own: name and value.
    pub(crate) server: Vec<(String, String)>,
    /// Ordinary servers: without Galera, and without any replication.
    pub(crate) plain: bool,
    /// How the nodes' disks can be stopped.
    pub(crate) disk: Disk,
}

impl GaleraOptions {
    /// The provider's options, to stand behind others.
    fn provider_behind(&self) -> String {
        if self.provider.is_empty() { String::new() } else { format!(";{}", self.provider) }
    }
}

/// Galera's timeouts for members that are silent (`evs.*`).
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Between keep-alives of a silent link.
    pub keepalive: Duration,
    /// Until a silent member is suspected, and put out once all others suspect it.
    pub suspect: Duration,
    /// Until a silent member is put out in any case.
    pub inactive: Duration,
    /// For the members that are left to agree.
    pub install: Duration,
}

impl Timeouts {
    /// Galera's defaults, with which a writer on a survivor of a crash stalls for about 6 s.
    pub const GALERA: Self = Self {
        keepalive: Duration::from_secs(1),
        suspect: Duration::from_secs(5),
        inactive: Duration::from_secs(15),
        install: Duration::from_millis(7_500),
    };
}

impl Default for Timeouts {
    /// Under a third of Galera's: the members are on one machine, and a lab need not wait longer.
    fn default() -> Self {
        Self {
            keepalive: Duration::from_millis(400),
            suspect: Duration::from_millis(1_500),
            inactive: Duration::from_secs(5),
            install: Duration::from_millis(2_500),
        }
    }
}

pub(super) fn option_file(directory: &Path) -> PathBuf {
    directory.join("my.cnf")
}

pub(super) fn data(directory: &Path) -> PathBuf {
    directory.join("data")
}

/// A starting mariadbd removes what looks like the temporary tables of a dead one: none may share the directory.
pub(super) fn temporary(directory: &Path) -> PathBuf {
    directory.join("tmp")
}

pub(super) fn socket(directory: &Path) -> PathBuf {
    directory.join("sock")
}

/// The user that mariadbd runs as: it refuses to be root, and so does the rsync of a state transfer.
pub(super) fn user() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some("mysql")
}

/// Writes the option file of node `index` of `count`.
pub(super) fn write(
    directory: &Path,
    slot: &Slot,
    index: usize,
    count: usize,
    options: &GaleraOptions,
) -> Result<()> {
    let mut file = String::from("[mariadbd]\n");
    let galera = if options.plain { Vec::new() } else { wsrep(slot, index, count, options) };
    let lines = server(directory, slot, index).into_iter().chain(galera);
    for (name, value) in lines.chain(options.server.iter().map(|(n, v)| (n.as_str(), v.clone()))) {
        let _ = writeln!(file, "{name}={value}");
    }
    fs::create_dir_all(temporary(directory))?;
    let path = option_file(directory);
    fs::write(&path, file).with_context(|| format!("cannot write {}", path.display()))
}

fn server(directory: &Path, slot: &Slot, index: usize) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("datadir", data(directory).display().to_string()),
        ("tmpdir", temporary(directory).display().to_string()),
        ("socket", socket(directory).display().to_string()),
        ("pid-file", directory.join("pid").display().to_string()),
        ("bind-address", slot.node(index).to_string()),
        ("port", PORT.to_string()),
        ("skip-name-resolve", "ON".to_owned()),
        ("max_connections", "500".to_owned()),
        ("innodb_buffer_pool_size", "32M".to_owned()),
        ("innodb_log_file_size", "16M".to_owned()),
        ("innodb_flush_log_at_trx_commit", "1".to_owned()),
        // A buffer pool dump on shutdown and its load at start only cost time here.
        ("innodb_buffer_pool_dump_at_shutdown", "OFF".to_owned()),
    ];
    lines.extend(user().map(|user| ("user", user.to_owned())));
    lines
}

fn wsrep(slot: &Slot, index: usize, count: usize, options: &GaleraOptions) -> Vec<(&'static str, String)> {
    let timeouts = options.timeouts;
    let address = slot.node(index);
    let mut members: Vec<_> = (0..count).map(|index| slot.node(index).to_string()).collect();
    if count == 1 {
        // Galera takes no address of the node itself for a peer to connect to; without peers it founds a cluster.
        members.clear();
    }
    let provider = format!(
        "base_host={address};gmcast.listen_addr=tcp://{address}:4567;ist.recv_addr={address}:4568;\
         gcache.size=16M;evs.keepalive_period={};evs.inactive_check_period=PT0.25S;evs.suspect_timeout={};\
         evs.inactive_timeout={};evs.install_timeout={}{}",
        period(timeouts.keepalive),
        period(timeouts.suspect),
        period(timeouts.inactive),
        period(timeouts.install),
        options.provider_behind(),
    );
    vec![
        ("binlog_format", "ROW".to_owned()),
        ("default_storage_engine", "InnoDB".to_owned()),
        ("innodb_autoinc_lock_mode", "2".to_owned()),
        ("wsrep_on", "ON".to_owned()),
        ("wsrep_provider", PROVIDER.to_owned()),
        ("wsrep_provider_options", format!("\"{provider}\"")),
        ("wsrep_cluster_name", format!("lab-{}", slot.number())),
        ("wsrep_cluster_address", format!("gcomm://{}", members.join(","))),
        ("wsrep_node_name", format!("node{}", index + 1)),
        ("wsrep_node_address", address.to_string()),
        ("wsrep_sst_method", "rsync".to_owned()),
        ("wsrep_sst_receive_address", slot.transfer(index).to_string()),
    ]
}

/// ISO 8601, as Galera wants it.
fn period(duration: Duration) -> String {
    format!("PT{}S", duration.as_secs_f64())
}
