//! Looks at this host: the kernel's clock and limits, the files that the settings name.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::available_parallelism;

use capitana_core::doctor::host::{Host, Proxy, Secret, State};
use capitana_core::doctor::{Finding, reach};
use rustix::fs::Access;
use rustix::process::{Resource, getrlimit};

use super::Subjects;
use crate::sys;

/// What speaks against this host, and what could not be seen of it.
pub(super) fn examine(subjects: &Subjects) -> Vec<Finding> {
    let mut unseen = Vec::new();
    let mut seen = |what: &str, value: std::io::Result<u64>| {
        let missing = |error: &std::io::Error| {
            unseen.push(reach::HOST_UNSEEN.at(Host::SUBJECT, format!("{what}: {error}")));
        };
        value.inspect_err(missing).ok()
    };
    let synchronised = sys::clock_is_synchronised().map(u64::from);
    let host = Host {
        clock_synchronised: seen("the clock's state", synchronised).map(|synchronised| synchronised == 1),
        files: getrlimit(Resource::Nofile).maximum,
        ports: seen("the range of local ports", ports()),
        retries: seen("net.ipv4.tcp_retries2", number("/proc/sys/net/ipv4/tcp_retries2")),
        proxy: proxy(subjects),
        secrets: subjects.secrets().into_iter().filter_map(|path| secret(path)).collect(),
        state: subjects.agent.as_ref().map(|agent| state(&agent.config.state_directory)),
    };
    let mut findings = host.examine();
    findings.append(&mut unseen);
    findings
}

/// What `crate::proxy` makes of its settings on this host.
fn proxy(subjects: &Subjects) -> Option<Proxy> {
    let config = &subjects.proxy.as_ref()?.config;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let threads = config.threads.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
    let listeners = config.listen.len() + config.replica_listen.len();
    Some(Proxy {
        most: config.max_connections.map(|most| count(most.saturating_mul(listeners))),
        upstream: config.max_upstream_connections.map(count),
        threads: count(threads),
        listeners: count(listeners),
        sources: count(config.source_addresses.len()),
    })
}

fn number(path: &str) -> std::io::Result<u64> {
    fs::read_to_string(path)?.trim().parse().map_err(std::io::Error::other)
}

fn ports() -> std::io::Result<u64> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")?;
    let mut ends = range.split_whitespace().map(str::parse::<u64>);
    match (ends.next(), ends.next()) {
        (Some(Ok(first)), Some(Ok(last))) => Ok((last + 1).saturating_sub(first)),
        _ => Err(std::io::Error::other(format!("unexpected: {range}"))),
    }
}

/// A file that is gone meanwhile holds no secret.
fn secret(path: &Path) -> Option<Secret> {
    let mode = fs::metadata(path).ok()?.permissions().mode();
    Some(Secret { path: path.display().to_string(), mode })
}

fn state(path: &Path) -> State {
    let directory = fs::metadata(path).ok().filter(fs::Metadata::is_dir);
    State {
        path: path.display().to_string(),
        mode: directory.map(|directory| directory.permissions().mode()),
        writable: rustix::fs::access(path, Access::WRITE_OK).is_ok(),
    }
}
