//! Owns what a scenario found: figures, their limits, and failures, and how scripts read them. What people read is in
//! `table`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use crate::limit::{Limit, Measure};

/// What a scenario measured and what it found wrong. It passes when nothing is wrong.
#[derive(Debug, Clone, Default)]
pub struct Report {
    figures: BTreeMap<String, f64>,
    limits: BTreeMap<String, Limit>,
    failures: Vec<String>,
}

#[derive(Serialize)]
struct Json<'a> {
    scenario: &'a str,
    pass: bool,
    figures: &'a BTreeMap<String, f64>,
    limits: &'a BTreeMap<String, Limit>,
    failures: &'a [String],
}

impl Report {
    /// Records a number. Its name says the unit, for example `agree_ms`.
    pub fn count(&mut self, name: &str, value: usize) {
        self.figure(name, value.number());
    }

    /// Records a number. Its name says the unit.
    pub fn figure(&mut self, name: &str, value: f64) {
        self.figures.insert(name.to_owned(), value);
    }

    /// Records a duration in milliseconds, to a tenth; the name should end in `_ms`.
    pub fn millis(&mut self, name: &str, value: Duration) {
        self.figure(name, value.number());
    }

    /// Records a number that may not be above `limit`; a duration in milliseconds, as in [`millis`](Self::millis).
    pub fn at_most<M: Measure>(&mut self, name: &str, value: M, limit: M) -> Judged<'_> {
        self.limited(name, value.number(), Limit::at_most(limit.number()))
    }

    /// Records a number that may not be below `limit`.
    pub fn at_least<M: Measure>(&mut self, name: &str, value: M, limit: M) -> Judged<'_> {
        self.limited(name, value.number(), Limit::at_least(limit.number()))
    }

    /// Records a number that has to be `limit`.
    pub fn exactly<M: Measure>(&mut self, name: &str, value: M, limit: M) -> Judged<'_> {
        self.limited(name, value.number(), Limit::exactly(limit.number()))
    }

    /// Records a count of what should not have happened at all.
    pub fn none(&mut self, name: &str, value: usize) -> Judged<'_> {
        self.exactly(name, value, 0)
    }

    fn limited(&mut self, name: &str, value: f64, limit: Limit) -> Judged<'_> {
        self.figure(name, value);
        let limits = self.limits.entry(name.to_owned()).or_default();
        *limits = limits.and(limit);
        if limit.allows(value) {
            return Judged(None);
        }
        self.failures.push(format!("{name} is {value}, limit {limit}"));
        Judged(self.failures.last_mut())
    }

    /// Records a failure.
    pub fn fail(&mut self, what: impl Into<String>) {
        self.failures.push(what.into());
    }

    /// Records a failure unless `holds`: for what is no number. What is has [`at_most`](Self::at_most) and the like.
    pub fn check(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.fail(otherwise());
        }
    }

    /// Takes over all of another report, with `name` before each of its names.
    pub fn take_over(&mut self, name: &str, other: Self) {
        let named = |figure: String| format!("{name}_{figure}");
        self.figures.extend(other.figures.into_iter().map(|(figure, value)| (named(figure), value)));
        self.limits.extend(other.limits.into_iter().map(|(figure, limit)| (named(figure), limit)));
        self.failures.extend(other.failures.into_iter().map(|failure| format!("{name}: {failure}")));
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

    /// The limit of a figure.
    pub fn limit(&self, figure: &str) -> Option<&Limit> {
        self.limits.get(figure)
    }

    /// What has a limit: its name, the figure and the limit.
    pub fn limits(&self) -> impl Iterator<Item = (&str, f64, Limit)> {
        let figure = |name| self.figures.get(name).copied().unwrap_or(f64::NAN);
        self.limits.iter().map(move |(name, limit)| (name.as_str(), figure(name), *limit))
    }

    /// Writes the one JSON object that scripts read.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn write_json(&self, scenario: &str, out: &mut dyn Write) -> io::Result<()> {
        let Self { figures, limits, failures } = self;
        let object = Json { scenario, pass: self.passed(), figures, limits, failures };
        serde_json::to_writer(&mut *out, &object)?;
        writeln!(out)
    }
}

/// A figure whose limit was looked at.
#[derive(Debug)]
pub struct Judged<'a>(Option<&'a mut String>);

impl Judged<'_> {
    /// Adds to the failure, if it is one, what helps to understand it.
    pub fn because(self, why: impl FnOnce() -> String) {
        if let Some(failure) = self.0 {
            failure.push_str(": ");
            failure.push_str(&why());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::default();
        report.at_most("gap_ms", Duration::from_millis(4_700), Duration::from_millis(4_500));
        report.none("lost", 0).because(|| unreachable!("nothing is lost"));
        report.none("refused", 2).because(|| "error 1040".to_owned());
        report.millis("floor_ms", Duration::from_micros(123_456));
        report
    }

    #[test]
    fn a_figure_beyond_its_limit_is_a_failure_with_its_cause() {
        let failures = ["gap_ms is 4700, limit <= 4500", "refused is 2, limit = 0: error 1040"];
        assert_eq!(report().failures(), failures);
    }

    #[test]
    fn scripts_read_figures_and_limits() {
        let mut out = Vec::new();
        report().write_json("x", &mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(json["figures"]["floor_ms"], 123.5);
        let limits = serde_json::json!({
            "gap_ms": {"at_most": 4500.0}, "lost": {"exactly": 0.0}, "refused": {"exactly": 0.0}
        });
        assert_eq!(json["limits"], limits);
    }

    #[test]
    fn a_report_that_is_taken_over_keeps_its_limits() {
        let mut whole = Report::default();
        whole.take_over("silent", report());
        assert_eq!(whole.failures()[0], "silent: gap_ms is 4700, limit <= 4500");
        let limits: Vec<_> = whole.limits().map(|(name, ..)| name).collect();
        assert_eq!(limits, ["silent_gap_ms", "silent_lost", "silent_refused"]);
    }
}
