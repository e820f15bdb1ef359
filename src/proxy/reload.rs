//! SIGHUP: which settings a running proxy takes over, and which need a restart.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::config::{CommonConfig, ProxyConfig, ZooKeeperAccess, ZooKeeperTls};
use crate::error::Error;

/// Reads the settings again and takes over what can be taken over. A mistake leaves everything as it is.
pub fn reload(current: &ArcSwap<ProxyConfig>, read: &dyn Fn() -> Result<ProxyConfig, Error>) {
    let new = match read() {
        Ok(new) => new,
        Err(error) => {
            tracing::error!(%error, "settings not reloaded: the old ones stay in effect");
            return;
        }
    };
    let (merged, restart) = merge(&current.load_full(), new);
    if !restart.is_empty() {
        tracing::warn!(settings = restart.join(", "), "changed, but in effect only after a restart");
    }
    current.store(Arc::new(merged));
    tracing::info!("settings reloaded");
}

/// The keys of settings that differ and are bound to sockets, threads, the ZooKeeper session or limits made at the start.
type Restart = Vec<&'static str>;

/// The new settings where they can change under way, the old ones elsewhere. Each setting is named once here, so that the
/// compiler asks for a decision about a new one.
fn merge(old: &ProxyConfig, new: ProxyConfig) -> (ProxyConfig, Restart) {
    let ProxyConfig {
        common,
        hold_timeout,
        dial_timeout,
        handshake_timeout,
        shutdown_timeout,
        drain_timeout,
        monitor,
        barrier_timeout,
        barrier_fallback,
        listen,
        primary,
        allow_upstreams,
        max_held,
        max_connections,
        max_connections_per_client,
        max_upstream_connections,
        dial_rate,
        dial_concurrency,
        proxy_protocol,
        accept_proxy_protocol,
        source_addresses,
        stall_timeout,
        threads,
    } = new;
    let (common, mut restart) = merge_common(&old.common, common);
    restart.extend(differing([
        ("listen", old.listen != listen),
        ("primary", old.primary != primary),
        ("allow-upstreams", old.allow_upstreams != allow_upstreams),
        ("max-held", old.max_held != max_held),
        ("max-connections", old.max_connections != max_connections),
        ("max-connections-per-client", old.max_connections_per_client != max_connections_per_client),
        ("max-upstream-connections", old.max_upstream_connections != max_upstream_connections),
        ("dial-rate", old.dial_rate != dial_rate),
        ("dial-concurrency", old.dial_concurrency != dial_concurrency),
        ("proxy-protocol", old.proxy_protocol != proxy_protocol),
        ("accept-proxy-protocol", old.accept_proxy_protocol != accept_proxy_protocol),
        ("source-addresses", old.source_addresses != source_addresses),
        ("stall-timeout", old.stall_timeout != stall_timeout),
        ("threads", old.threads != threads),
    ]));
    let merged = ProxyConfig {
        common,
        hold_timeout,
        dial_timeout,
        handshake_timeout,
        shutdown_timeout,
        drain_timeout,
        monitor,
        barrier_timeout,
        barrier_fallback,
        ..old.clone()
    };
    (merged, restart)
}

fn merge_common(old: &CommonConfig, new: CommonConfig) -> (CommonConfig, Restart) {
    let CommonConfig {
        log_level,
        zookeeper,
        zookeeper_access,
        zookeeper_session_timeout,
        election_path,
        admin_listen,
        log_format,
    } = new;
    let mut restart = differing_access(&old.zookeeper_access, zookeeper_access);
    restart.extend(differing([
        ("zookeeper", old.zookeeper != zookeeper),
        ("zookeeper-session-timeout", old.zookeeper_session_timeout != zookeeper_session_timeout),
        ("election-path", old.election_path != election_path),
        ("admin-listen", old.admin_listen != admin_listen),
        ("log-format", old.log_format != log_format),
    ]));
    (CommonConfig { log_level, ..old.clone() }, restart)
}

fn differing_access(old: &ZooKeeperAccess, new: ZooKeeperAccess) -> Restart {
    let ZooKeeperAccess { auth, tls } = new;
    let is_tls = tls.is_some();
    let ZooKeeperTls { ca_file, identity } = tls.unwrap_or_default();
    let (certificate, key) = identity.unzip();
    let old_tls = old.tls.clone().unwrap_or_default();
    let (old_certificate, old_key) = old_tls.identity.unzip();
    differing([
        ("zookeeper-auth-file", old.auth != auth),
        ("zookeeper-tls", old.tls.is_some() != is_tls),
        ("zookeeper-ca-file", old_tls.ca_file != ca_file),
        ("zookeeper-certificate-file", old_certificate != certificate),
        ("zookeeper-key-file", old_key != key),
    ])
}

fn differing<const N: usize>(settings: [(&'static str, bool); N]) -> Restart {
    settings.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}
