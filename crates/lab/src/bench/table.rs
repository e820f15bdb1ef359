//! Owns the tables for people: one of the engines' figures and one of the limits, as Markdown.

use std::io::{self, Write};

use super::figures::{
    BULK_MB_S, CPU_US, CPU_US_ABOVE, IDLE_CPU, KINSTR, KINSTR_ABOVE, KINSTR_USER_ABOVE, MEAN_MS, P99_MS,
    PER_SECOND, PROXY_CPU_US, PSS_KB, SESSION_BYTES,
};
use super::limits::Verdict;
use super::outcome::{Machine, Outcome};
use super::rounds::Case;
use super::stats::Spread;

/// A column: the figure, its title, in which `{unit}` stands for what it is one of, and what it is divided by.
struct Column {
    figure: &'static str,
    title: &'static str,
    divisor: f64,
}

const COLUMNS: [Column; 13] = [
    Column { figure: PER_SECOND, title: "{unit}/s", divisor: 1.0 },
    Column { figure: BULK_MB_S, title: "bulk MB/s", divisor: 1.0 },
    Column { figure: MEAN_MS, title: "mean ms", divisor: 1.0 },
    Column { figure: P99_MS, title: "p99 ms", divisor: 1.0 },
    Column { figure: KINSTR, title: "kinstr/{unit}", divisor: 1.0 },
    Column { figure: KINSTR_ABOVE, title: "above direct", divisor: 1.0 },
    Column { figure: KINSTR_USER_ABOVE, title: "of it in user space", divisor: 1.0 },
    Column { figure: CPU_US, title: "CPU us/{unit}", divisor: 1.0 },
    Column { figure: CPU_US_ABOVE, title: "above direct", divisor: 1.0 },
    Column { figure: PROXY_CPU_US, title: "proxy's CPU us/{unit}", divisor: 1.0 },
    Column { figure: SESSION_BYTES, title: "KB/session", divisor: 1024.0 },
    Column { figure: IDLE_CPU, title: "CPU %", divisor: 1.0 },
    Column { figure: PSS_KB, title: "memory MB", divisor: 1024.0 },
];

pub(super) fn write(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    let Outcome { bench, about, rounds, seconds, seed, machine, .. } = outcome;
    writeln!(out, "{} {bench}: {about}.", if outcome.pass { "PASS" } else { "FAIL" })?;
    let legs = if *bench == "bulk" { String::new() } else { format!(" of {seconds} s") };
    let Machine { cores, kernel, .. } = machine;
    if machine.emulated {
        writeln!(out, "Counted once, in an emulated machine with {cores} core, Linux {kernel}.")?;
    } else {
        writeln!(out, "Medians of {rounds} rounds{legs}, seed {seed}, {cores} cores, Linux {kernel}.")?;
    }
    if !machine.instructions_counted {
        writeln!(out, "perf counts no instructions here: the limits on them are judged by CPU time.")?;
    }
    let versions = outcome.engines.iter().filter(|(_, version)| !version.is_empty());
    let versions: Vec<_> = versions.map(|(engine, version)| format!("{engine}: {version}")).collect();
    writeln!(out, "{}\n", versions.join("; "))?;
    write_figures(outcome, out)?;
    writeln!(out)?;
    write_limits(&outcome.limits, out)
}

fn write_figures(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    let shown = |column: &&Column| {
        let engines = || outcome.engines.iter().map(|(engine, _)| engine);
        outcome.cases.iter().any(|case| engines().any(|engine| case.spread(engine, column.figure).is_some()))
    };
    let columns: Vec<_> = COLUMNS.iter().filter(shown).collect();
    let titles: Vec<_> = columns.iter().map(|column| column.title.replace("{unit}", outcome.unit)).collect();
    writeln!(out, "| | | {} |", titles.join(" | "))?;
    writeln!(out, "|---|---|{}", "---:|".repeat(columns.len()))?;
    for case in &outcome.cases {
        for (engine, _) in
            outcome.engines.iter().filter(|(engine, _)| case.engines().contains(&engine.as_str()))
        {
            let cells: Vec<_> = columns.iter().map(|column| cell(case, engine, column)).collect();
            writeln!(out, "| {} | {engine} | {} |", case.name, cells.join(" | "))?;
        }
    }
    Ok(())
}

fn cell(case: &Case, engine: &str, column: &Column) -> String {
    case.spread(engine, column.figure).map_or(String::new(), |spread| number(spread.median / column.divisor))
}

fn write_limits(limits: &[Verdict], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "| case | capitana's | beside | limit | median (min to max) | |\n|---|---|---|---|---|---|"
    )?;
    for Verdict { case, figure, against, limit, found, pass } in limits {
        let found = found.map_or("not measured".to_owned(), shown);
        let pass = match pass {
            Some(true) => "holds",
            Some(false) => "MISSED",
            None => "",
        };
        writeln!(
            out,
            "| {case} | {figure} | {} | {limit} | {found} | {pass} |",
            against.unwrap_or_default()
        )?;
    }
    Ok(())
}

fn shown(Spread { median, min, max }: Spread) -> String {
    format!("{} ({} to {})", number(median), number(min), number(max))
}

/// Three digits that say something.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_with_the_digits_that_say_something() {
        assert_eq!([12345.6, 99.94, 9.876, 0.0].map(number), ["12346", "99.9", "9.88", "0.00"]);
    }
}
