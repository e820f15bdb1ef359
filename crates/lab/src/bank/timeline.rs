//! Owns how the lab reads the record that each proxy keeps of a failover: where its time went.

use serde_json::Value;

use crate::daemon::Proxy;
use crate::http;

/// The proxy's record of the failover to `epoch`, in one line for people, with how long after the fault the proxy saw the
/// end of the old epoch, which its own times count from.
pub(super) async fn told(proxy: &Proxy, epoch: i64, fault_unix_ms: u64) -> String {
    let status: Value = match http::get_json(proxy.admin(), "/status").await {
        Ok(status) => status,
        Err(error) => return format!("{}: {error:#}", proxy.name()),
    };
    let records = status["failovers"].as_array().cloned().unwrap_or_default();
    let Some(record) = records.iter().find(|record| record["to"]["epoch"] == epoch) else {
        return format!("{} has no record of it", proxy.name());
    };
    let steps = record["steps_ms"].as_object().cloned().unwrap_or_default();
    let shown = |(step, ms): (&String, &Value)| format!("{step} {}", ms.as_f64().map_or(-1.0, f64::round));
    let steps: Vec<_> = steps.iter().map(shown).collect();
    let seen = record["detected_at_ms"].as_u64().unwrap_or_default().saturating_sub(fault_unix_ms);
    format!(
        "{}: seen after {seen} ms, then {}; sessions ended: {}",
        proxy.name(),
        steps.join(", "),
        record["sessions_ended"]
    )
}
