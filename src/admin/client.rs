//! Asks another daemon's admin endpoint for its `/status`. How long it is waited for, and what is made of the answer, is
//! the caller's.

use capitana_core::HostPort;
use hyper::{Method, StatusCode};

use super::exchange::exchange;

/// What the daemon at `address` says of itself.
///
/// # Errors
/// Why there is no such answer, for people.
pub async fn status(address: &HostPort) -> Result<serde_json::Value, String> {
    let name = concat!("capitana/", env!("CARGO_PKG_VERSION"));
    let (status, body) = exchange(address, Method::GET, "/status", name).await?;
    if status != StatusCode::OK {
        return Err(format!("it answered {status}; is this an admin address of capitana's?"));
    }
    serde_json::from_slice(&body)
        .map_err(|e| format!("its /status is not JSON ({e}); is this an admin address of capitana's?"))
}
