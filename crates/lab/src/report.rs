//! Owns what a scenario found: figures and failures, and how they are printed.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

/// What a scenario measured and what it found wrong. It passes when nothing is wrong.
#[derive(Debug, Clone, Default)]
pub struct Report {
    figures: BTreeMap<String, f64>,
    failures: Vec<String>,
}

#[derive(Serialize)]
struct Json<'a> {
    scenario: &'a str,
    pass: bool,
    figures: &'a BTreeMap<String, f64>,
    failures: &'a [String],
}

impl Report {
    /// Records a number. Its name says the unit, for example `agree_ms`.
    #[expect(clippy::cast_precision_loss, reason = "figures are counts far below 2^52")]
    pub fn count(&mut self, name: &str, value: usize) {
        self.figure(name, value as f64);
    }

    /// Records a number. Its name says the unit.
    pub fn figure(&mut self, name: &str, value: f64) {
        self.figures.insert(name.to_owned(), value);
    }

    /// Records a duration in milliseconds, to a tenth; the name should end in `_ms`.
    pub fn millis(&mut self, name: &str, value: Duration) {
        self.figure(name, (value.as_secs_f64() * 10_000.0).round() / 10.0);
    }

    /// Records a failure.
    pub fn fail(&mut self, what: impl Into<String>) {
        self.failures.push(what.into());
    }

    /// Records a failure unless `holds`.
    pub fn check(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.fail(otherwise());
        }
    }

    /// Whether nothing is wrong.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// What is wrong.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// What was measured.
    pub fn figures(&self) -> &BTreeMap<String, f64> {
        &self.figures
    }

    /// Writes the one JSON object that scripts read.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn write_json(&self, scenario: &str, out: &mut dyn Write) -> io::Result<()> {
        let object = Json { scenario, pass: self.passed(), figures: &self.figures, failures: &self.failures };
        serde_json::to_writer(&mut *out, &object)?;
        writeln!(out)
    }

    /// Writes the same for people.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn write_text(&self, scenario: &str, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{} {scenario}", if self.passed() { "PASS" } else { "FAIL" })?;
        for (name, value) in &self.figures {
            writeln!(out, "  {name:<28} {value}")?;
        }
        for failure in &self.failures {
            writeln!(out, "  failed: {failure}")?;
        }
        Ok(())
    }
}
