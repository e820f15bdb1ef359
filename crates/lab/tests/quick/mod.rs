//! Runs scenarios in their quick forms, as programs of their own, and looks at what they report.

#![allow(dead_code, reason = "each test file uses a part of this")]

use std::process::{Command, Stdio};

use serde_json::Value;

/// What the scenario prints with `--json`.
pub fn report(scenario: &str) -> Value {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    lab.args(["scenario", scenario, "--json"]).env("CAPITANA_LAB_QUICK", "1").stderr(Stdio::inherit());
    serde_json::from_slice(&lab.output().unwrap().stdout).unwrap()
}

/// It keeps every limit.
pub fn passes(scenario: &str) {
    passes_but_for(scenario, &[]);
}

/// It keeps every limit but for these figures: how long things take is for `lab scenario`, on a machine that does nothing
/// else.
pub fn passes_but_for(scenario: &str, figures: &[&str]) {
    let report = report(scenario);
    let failures = report["failures"].as_array().unwrap();
    let counts = |failure: &&Value| !figures.iter().any(|figure| failure.as_str().unwrap().contains(figure));
    assert_eq!(failures.iter().filter(counts).count(), 0, "{report:#}");
}

/// These figures have these values. Answers the whole report.
pub fn figures(scenario: &str, figures: &[(&str, f64)]) -> Value {
    let report = report(scenario);
    for (name, value) in figures {
        assert_eq!(report["figures"][name].as_f64(), Some(*value), "{name} in {report:#}");
    }
    report
}
