//! The list of services as Prometheus' HTTP service discovery wants it: one group of one target for each process whose admin
//! endpoint can be reached. The answer's form is Prometheus' `http_sd_configs`; labels that begin with `__meta_` are there for
//! relabelling and are dropped after it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::list::Service;

/// One group of targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetGroup {
    /// `host:port` of the admin endpoint.
    pub targets: Vec<String>,
    /// What is known of it.
    pub labels: BTreeMap<&'static str, String>,
}

/// The targets among `services`, in their order.
#[must_use]
pub fn targets(services: &[Service]) -> Vec<TargetGroup> {
    let group = |service: &Service| {
        let labels = BTreeMap::from([
            ("__meta_capitana_kind", service.kind.clone()),
            ("__meta_capitana_node", service.node.clone()),
            ("__meta_capitana_version", service.version.clone()),
            ("__meta_capitana_addresses", service.addresses.join(",")),
            ("__meta_capitana_since", service.since.clone()),
            ("__meta_capitana_id", service.id.clone()),
        ]);
        Some(TargetGroup { targets: vec![service.admin.as_ref()?.to_string()], labels })
    };
    services.iter().filter_map(group).collect()
}
