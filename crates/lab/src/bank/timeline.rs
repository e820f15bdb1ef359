//! Owns how the lab reads the record that each proxy keeps of a failover: where its time went.

use serde_json::Value;

use crate::daemon::Proxy;
use crate::http;

/// What a proxy's record says of a failover.
pub(super) struct Told {
    /// In one line for people; what is missing is said.
    pub(super) line: String,
    /// When it led new sessions to the new primary: how long after the fault, in milliseconds.
    pub(super) opened_ms: Option<u64>,
    /// How long after it saw the old primary's end the last session with it was gone, in milliseconds.
    pub(super) old_gone_ms: Option<f64>,
}

/// The proxy's record of the failover to `epoch`, with how long after the fault the proxy saw the end of the old epoch,
/// which its own times count from.
pub(super) async fn told(proxy: &Proxy, epoch: i64, fault_unix_ms: u64) -> Told {
    match record(proxy, epoch).await {
        Ok(record) => {
            let after = |at: &Value| at.as_u64().map(|at| at.saturating_sub(fault_unix_ms));
            let seen = after(&record["detected_at_ms"]).unwrap_or_default();
            let (name, ended) = (proxy.name(), &record["sessions_ended"]);
            let line =
                format!("{name}: seen after {seen} ms, then {}; sessions ended: {ended}", steps(&record));
            let old_gone_ms = record["steps_ms"]["last_old_session_gone"].as_f64();
            Told { line, opened_ms: after(&record["at_ms"]), old_gone_ms }
        }
        Err(line) => Told { line, opened_ms: None, old_gone_ms: None },
    }
}

async fn record(proxy: &Proxy, epoch: i64) -> Result<Value, String> {
    let status: anyhow::Result<Value> = http::get_json(proxy.admin(), "/status").await;
    let status = status.map_err(|error| format!("{}: {error:#}", proxy.name()))?;
    let records = status["failovers"].as_array().into_iter().flatten();
    let record = records.rev().find(|record| record["to"]["epoch"] == epoch);
    record.cloned().ok_or_else(|| format!("{} has no record of it", proxy.name()))
}

fn steps(record: &Value) -> String {
    let steps = record["steps_ms"].as_object().cloned().unwrap_or_default();
    let shown = |(step, ms): (&String, &Value)| match ms.as_f64() {
        Some(ms) => format!("{step} {ms:.0}"),
        None => format!("{step} -"),
    };
    steps.iter().map(shown).collect::<Vec<_>>().join(", ")
}
