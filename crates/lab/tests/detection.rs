//! What an agent notices of its server, and what it does not hold against it, on real servers: the fast ones of those
//! scenarios. How long it takes is for `lab scenario`, on a machine that does nothing else.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

use std::process::{Command, Stdio};

use serde_json::Value;

/// Runs a scenario in its short form.
fn run(scenario: &str) -> Value {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    lab.args(["scenario", scenario, "--json"]).env("CAPITANA_LAB_QUICK", "1").stderr(Stdio::inherit());
    serde_json::from_slice(&lab.output().unwrap().stdout).unwrap()
}

fn passes(scenario: &str) {
    let report = run(scenario);
    assert_eq!(report["pass"], true, "{report:#}");
}

#[test]
fn a_primary_without_a_connection_left_stays_primary() {
    passes("connections-full");
}

#[test]
fn a_primary_whose_disk_stops_while_it_says_that_it_is_synced_steps_down_and_comes_back() {
    let report = run("stuck-commits");
    let failures = report["failures"].as_array().unwrap();
    // How long it takes is not looked at here.
    let other: Vec<_> =
        failures.iter().filter(|f| !f.as_str().unwrap().contains("stepped_down_ms")).collect();
    assert!(other.is_empty(), "{report:#}");
}

#[test]
fn two_servers_without_galera_are_elected_followed_and_replaced() {
    let report = run("plain-mariadb");
    let failures = report["failures"].as_array().unwrap();
    let other: Vec<_> = failures.iter().filter(|f| !f.as_str().unwrap().contains("znode_gone_ms")).collect();
    assert!(other.is_empty(), "{report:#}");
}
