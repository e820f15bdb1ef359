//! Prints findings: for people, and as the one JSON object that scripts read.

use std::io::{self, Write};

use capitana_core::doctor::{Finding, Severity, worst};
use serde::Serialize;

/// What scripts read. Fields may be added; those that are here stay.
#[derive(Serialize)]
struct Json<'a> {
    worst: Option<Severity>,
    findings: &'a [Finding],
}

pub(super) fn json(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Json { worst: worst(findings), findings })?;
    writeln!(out)
}

pub(super) fn text(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    for finding in findings {
        let kind = finding.kind;
        writeln!(out, "{:<8} {}", kind.severity.label(), kind.code)?;
        writeln!(out, "  found   {}: {}", finding.subject, finding.found)?;
        writeln!(out, "  why     {}", kind.why)?;
        writeln!(out, "  do      {}\n", kind.remedy)?;
    }
    let count = |severity| findings.iter().filter(|finding| finding.kind.severity == severity).count();
    let (dangers, warnings) = (count(Severity::Danger), count(Severity::Warning));
    writeln!(out, "danger: {dangers}, warning: {warnings}, info: {}", count(Severity::Info))
}
