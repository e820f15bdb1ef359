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
type Restart = Vec<String>;

/// Sorts the settings of a struct, each of which is named here once: a field that is on no list does not compile. What
/// `moves` is taken from the new ones; what is `fixed` stays as it is, and its key, the field's name with dashes, is
/// reported where it differs; what is `nested` is sorted by a function of its own.
macro_rules! sort {
    (
        $config:ident { nested: $nested:ident by $sort:ident; moves: $($moves:ident),+; fixed: $($fixed:ident),+ },
        $old:expr,
        $new:expr
    ) => {{
        let $config { $nested, $($moves,)+ $($fixed),+ } = $new;
        let ($nested, mut restart) = $sort(&$old.$nested, $nested);
        let fixed = [$((stringify!($fixed), $old.$fixed != $fixed)),+];
        restart.extend(differing(fixed).into_iter().map(|field| field.replace('_', "-")));
        ($config { $nested, $($moves,)+ ..$old.clone() }, restart)
    }};
}

/// The new settings where they can change under way, the old ones elsewhere.
fn merge(old: &ProxyConfig, new: ProxyConfig) -> (ProxyConfig, Restart) {
    sort!(
        ProxyConfig {
            nested: common by merge_common;
            moves: hold_timeout, dial_timeout, handshake_timeout, shutdown_timeout, drain_timeout, monitor,
                barrier_timeout, barrier_fallback;
            fixed: listen, primary, allow_upstreams, max_held, max_connections, max_connections_per_client,
                max_upstream_connections, dial_rate, dial_concurrency, proxy_protocol, accept_proxy_protocol,
                source_addresses, stall_timeout, threads
        },
        old,
        new
    )
}

fn merge_common(old: &CommonConfig, new: CommonConfig) -> (CommonConfig, Restart) {
    sort!(
        CommonConfig {
            nested: zookeeper_access by merge_access;
            moves: log_level;
            fixed: zookeeper, zookeeper_session_timeout, election_path, services_path, zookeeper_acl, node_name,
                admin_listen, admin_advertise, log_format
        },
        old,
        new
    )
}

/// All of it is bound to the session. Its keys have other names than its fields.
fn merge_access(old: &ZooKeeperAccess, new: ZooKeeperAccess) -> (ZooKeeperAccess, Restart) {
    let ZooKeeperAccess { auth, tls } = new;
    let is_tls = tls.is_some();
    let ZooKeeperTls { ca_file, identity } = tls.unwrap_or_default();
    let (certificate, key) = identity.unzip();
    let old_tls = old.tls.clone().unwrap_or_default();
    let (old_certificate, old_key) = old_tls.identity.unzip();
    let restart = differing([
        ("zookeeper-auth-file", old.auth != auth),
        ("zookeeper-tls", old.tls.is_some() != is_tls),
        ("zookeeper-ca-file", old_tls.ca_file != ca_file),
        ("zookeeper-certificate-file", old_certificate != certificate),
        ("zookeeper-key-file", old_key != key),
    ]);
    (old.clone(), restart)
}

fn differing<const N: usize>(settings: [(&'static str, bool); N]) -> Restart {
    settings.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned()).collect()
}
