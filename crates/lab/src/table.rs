//! Owns how reports are shown to people: one report as a list, the figures of many beside their limits.

use std::io::{self, Write};

use crate::report::Report;

/// Writes a report: each figure, with its limit if it has one, and what is wrong.
///
/// # Errors
/// `out` cannot be written to.
pub fn write_report(scenario: &str, report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} {scenario}", if report.passed() { "PASS" } else { "FAIL" })?;
    for (name, value) in report.figures() {
        match report.limit(name) {
            None => writeln!(out, "  {name:<44} {value:>12}")?,
            Some(limit) => {
                let verdict = verdict(limit.allows(*value));
                writeln!(out, "  {name:<44} {value:>12}   {limit:<16} {verdict}")?;
            }
        }
    }
    for failure in report.failures() {
        writeln!(out, "  failed: {failure}")?;
    }
    Ok(())
}

/// Writes what [`write_limits`] has in its columns.
///
/// # Errors
/// `out` cannot be written to.
pub fn write_heading(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:<22} {:<44} {:>12}   limit", "scenario", "figure", "measured")
}

/// Writes a line for each figure that has a limit.
///
/// # Errors
/// `out` cannot be written to.
pub fn write_limits(scenario: &str, report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for (name, value, limit) in report.limits() {
        let verdict = verdict(limit.allows(value));
        writeln!(out, "{scenario:<22} {name:<44} {value:>12}   {limit:<16} {verdict}")?;
    }
    Ok(())
}

fn verdict(passed: bool) -> &'static str {
    if passed { "pass" } else { "FAIL" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(write: impl FnOnce(&Report, &mut Vec<u8>) -> io::Result<()>) -> Vec<Vec<String>> {
        let (mut report, mut out) = (Report::default(), Vec::new());
        report.at_most("gap_ms", 4_700_usize, 4_500);
        report.none("lost", 0);
        report.figure("floor_ms", 123.5);
        write(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn the_table_has_a_line_for_each_figure_with_a_limit() {
        let lines = words(|report, out| write_limits("x", report, out));
        let expected =
            [vec!["x", "gap_ms", "4700", "<=", "4500", "FAIL"], vec!["x", "lost", "0", "=", "0", "pass"]];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_report_shows_every_figure_and_those_with_a_limit_beside_it() {
        let lines = words(|report, out| write_report("x", report, out));
        assert_eq!(lines[0], ["FAIL", "x"]);
        assert_eq!(lines[1], ["floor_ms", "123.5"]);
        assert_eq!(lines[2], ["gap_ms", "4700", "<=", "4500", "FAIL"]);
        assert_eq!(lines[4], ["failed:", "gap_ms", "is", "4700,", "limit", "<=", "4500"]);
    }
}
