//! What the proxy has on the session beside the election's: its place in the list of services, and the settings that are in
//! ZooKeeper. The session itself is `side`'s.

use std::net::SocketAddr;

use super::shared::Shared;
use crate::config::{CommonConfig, host_name};
use crate::live::Follow;
use crate::side::{Side, SideView};

/// Registers the proxy and follows its settings, unless its primary is fixed.
pub fn start(shared: &Shared, follow: Option<Follow>) -> Option<(Side, SideView)> {
    let config = shared.config.load();
    let addresses = config.listen.iter().map(|listen| reachable(*listen, &config.common)).collect();
    Side::join(&config.common, "proxy", addresses, shared.metrics.side.clone(), follow)
}

/// Takes the proxy out of the list: clients that choose by it should not come any more.
pub async fn end(side: Option<Side>) {
    if let Some(side) = side {
        side.end().await;
    }
}

/// An address that stands for every one says nothing to others: they know this host by another.
fn reachable(listen: SocketAddr, common: &CommonConfig) -> String {
    if !listen.ip().is_unspecified() {
        return listen.to_string();
    }
    let host = common.admin_advertise.as_ref().map_or_else(host_name, |admin| admin.host().to_owned());
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    format!("{host}:{}", listen.port())
}
