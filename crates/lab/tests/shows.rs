//! What the program `lab` shows on real parts: the demo without a person, and the scenario that is the main job.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn lab(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(arguments).stderr(Stdio::inherit()).output().unwrap()
}

#[test]
fn the_demo_shows_rows_on_the_new_primary_through_the_same_port() {
    let output = lab(&["demo-check"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("the next row was written"), "{said}");
}

#[test]
fn clients_follow_the_primary_through_a_crash_and_a_step_down_and_the_figures_are_one_json_object() {
    let output = lab(&["scenario", "follow", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{report:#}");
    assert_eq!(report["scenario"], "follow");
    assert_eq!(report["pass"], true);
    assert_eq!(report["failures"], Value::Array(Vec::new()));
    for none in ["lost", "duplicates", "connection_errors"] {
        assert_eq!(report["figures"][none].as_f64(), Some(0.0), "{none} in {report:#}");
    }
    assert_eq!(report["figures"]["ended_by_proxies_step_down"].as_f64(), Some(20.0), "{report:#}");
    assert!(report["figures"]["acknowledged"].as_f64() > Some(1000.0), "{report:#}");
}

#[test]
fn every_scenario_is_listed_with_what_it_shows() {
    let output = lab(&["scenario", "--list"]);
    let list = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for scenario in capitana_lab::scenario::all() {
        assert!(
            list.lines().any(|line| line.starts_with(scenario.name) && line.ends_with(scenario.about)),
            "{list}"
        );
    }
}

#[test]
fn an_unknown_scenario_is_an_error_that_says_how_to_list_them() {
    let output = Command::new(env!("CARGO_BIN_EXE_lab")).args(["scenario", "nothing"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("lab scenario --list"));
}
