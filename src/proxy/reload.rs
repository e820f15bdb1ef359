//! SIGHUP: which settings a running proxy takes over, and which need a restart.

use arc_swap::ArcSwap;

use crate::config::ProxyConfig;
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
    let old = current.load_full();
    let restart = needs_restart(&old, &new);
    if !restart.is_empty() {
        tracing::warn!(settings = restart.join(", "), "changed, but in effect only after a restart");
    }
    current.store(std::sync::Arc::new(merged(&old, new)));
    tracing::info!("settings reloaded");
}

/// The new settings where they can change under way, the old ones elsewhere.
fn merged(old: &ProxyConfig, new: ProxyConfig) -> ProxyConfig {
    let mut common = old.common.clone();
    common.log_level = new.common.log_level;
    ProxyConfig {
        common,
        hold_timeout: new.hold_timeout,
        dial_timeout: new.dial_timeout,
        handshake_timeout: new.handshake_timeout,
        shutdown_timeout: new.shutdown_timeout,
        drain_timeout: new.drain_timeout,
        monitor: new.monitor,
        barrier_timeout: new.barrier_timeout,
        barrier_fallback: new.barrier_fallback,
        ..old.clone()
    }
}

/// The keys that differ and are bound to sockets, threads, the ZooKeeper session or limits made at the start.
fn needs_restart(old: &ProxyConfig, new: &ProxyConfig) -> Vec<&'static str> {
    let differs = [
        ("zookeeper", old.common.zookeeper != new.common.zookeeper),
        (
            "zookeeper-session-timeout",
            old.common.zookeeper_session_timeout != new.common.zookeeper_session_timeout,
        ),
        ("election-path", old.common.election_path != new.common.election_path),
        ("admin-listen", old.common.admin_listen != new.common.admin_listen),
        ("log-format", old.common.log_format != new.common.log_format),
        ("listen", old.listen != new.listen),
        ("primary", old.primary != new.primary),
        ("allow-upstreams", old.allow_upstreams != new.allow_upstreams),
        ("max-held", old.max_held != new.max_held),
        ("max-connections", old.max_connections != new.max_connections),
        ("max-connections-per-client", old.max_connections_per_client != new.max_connections_per_client),
        ("max-upstream-connections", old.max_upstream_connections != new.max_upstream_connections),
        ("dial-rate", old.dial_rate != new.dial_rate),
        ("dial-concurrency", old.dial_concurrency != new.dial_concurrency),
        ("proxy-protocol", old.proxy_protocol != new.proxy_protocol),
        ("accept-proxy-protocol", old.accept_proxy_protocol != new.accept_proxy_protocol),
        ("source-addresses", old.source_addresses != new.source_addresses),
        ("stall-timeout", old.stall_timeout != new.stall_timeout),
        ("threads", old.threads != new.threads),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}
