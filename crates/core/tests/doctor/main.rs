//! What the doctor makes of facts: for each kind of finding the facts that give it, and those just beside that do not.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod account;
mod election;
mod ensemble;
mod galera;
mod host;
mod kinds;
mod server;
mod settings;
mod units;

use capitana_core::doctor::Finding;

/// The codes of findings, in order.
fn codes(findings: &[Finding]) -> Vec<&'static str> {
    let mut codes: Vec<_> = findings.iter().map(|finding| finding.kind.code).collect();
    codes.sort_unstable();
    codes
}
