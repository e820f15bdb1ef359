//! What customers of a bank lose in a failover, on real parts: nothing. How long it takes is for `lab scenario`, on a
//! machine that does nothing else; here only what must hold on any machine is looked at.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

use std::process::{Command, Stdio};

use serde_json::Value;

/// Runs a scenario with few rounds and looks at figures that have to be zero.
fn none_of(scenario: &str, figures: &[&str]) {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    lab.args(["scenario", scenario, "--json"]).env("CAPITANA_LAB_QUICK", "1").stderr(Stdio::inherit());
    let report: Value = serde_json::from_slice(&lab.output().unwrap().stdout).unwrap();
    let money = ["lost", "duplicated", "wrong_balances", "sum_off", "stale_reads", "connection_errors"];
    for name in money.iter().chain(figures) {
        assert_eq!(report["figures"][name].as_f64(), Some(0.0), "{name} in {report:#}");
    }
    assert!(report["figures"]["acknowledged"].as_f64() > Some(100.0), "{report:#}");
}

#[test]
fn no_transfer_is_lost_doubled_or_halved_when_the_primary_crashes() {
    none_of("crash-primary", &[]);
}

#[test]
fn a_step_down_cuts_no_transaction_and_refuses_no_new_client() {
    none_of("step-down", &["cut_transactions", "arrivals_refused"]);
}
