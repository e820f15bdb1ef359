//! Owns `lab scenario`: one, all, or the list of them, and `lab soak`, for people and for scripts.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use capitana_lab::scenario::{self, Scenario};
use capitana_lab::{Progress, Report, table};

use crate::cli::{ScenarioArgs, SoakArgs};

/// Runs what is asked for. True: it passed.
pub(crate) async fn scenario(arguments: ScenarioArgs, out: &mut dyn Write) -> Result<bool> {
    match arguments.name.as_deref() {
        _ if arguments.list => list(out),
        None | Some("all") => all(arguments.json, out).await,
        Some(name) => {
            let Some(scenario) = scenario::find(name) else {
                bail!("there is no scenario `{name}`; `lab scenario --list` shows those there are");
            };
            let report = report(scenario).await;
            write(scenario, &report, arguments.json, out)?;
            Ok(report.passed())
        }
    }
}

/// The scenario `soak` for as long as is asked for. True: it passed.
pub(crate) async fn soak(arguments: SoakArgs, out: &mut dyn Write) -> Result<bool> {
    let time = Duration::from_secs(arguments.minutes * 60);
    let report = scenario::soak::run(Progress::stderr(), time).await?;
    if arguments.json {
        report.write_json("soak", out)?;
    } else {
        table::write_report("soak", &report, out)?;
    }
    Ok(report.passed())
}

fn list(out: &mut dyn Write) -> Result<bool> {
    for scenario in scenario::all() {
        writeln!(out, "{:<20} {}", scenario.name, scenario.about)?;
    }
    Ok(true)
}

async fn all(json: bool, out: &mut dyn Write) -> Result<bool> {
    let mut done = Vec::new();
    for scenario in scenario::all() {
        let start = Instant::now();
        let report = report(scenario).await;
        write(scenario, &report, json, out)?;
        done.push((scenario.name, report, start.elapsed().as_secs_f64()));
    }
    let mut stderr = std::io::stderr();
    let summary: &mut dyn Write = if json { &mut stderr } else { out };
    writeln!(summary)?;
    table::write_heading(summary)?;
    for (name, report, _) in &done {
        table::write_limits(name, report, summary)?;
    }
    writeln!(summary, "\n{:<22} {:<6} {:>8}", "scenario", "", "seconds")?;
    for (name, report, seconds) in &done {
        writeln!(summary, "{name:<22} {:<6} {seconds:>8.1}", if report.passed() { "pass" } else { "FAIL" })?;
    }
    Ok(done.iter().all(|(_, report, _)| report.passed()))
}

/// A scenario that could not be run has failed: its error is in the report.
async fn report(scenario: Scenario) -> Report {
    let progress = Progress::stderr();
    progress.say(format_args!("scenario {}: {}", scenario.name, scenario.about));
    (scenario.run)(progress).await.unwrap_or_else(|error| {
        let mut report = Report::default();
        report.fail(format!("{error:#}"));
        report
    })
}

fn write(scenario: Scenario, report: &Report, json: bool, out: &mut dyn Write) -> Result<()> {
    if json {
        report.write_json(scenario.name, out)?;
    } else {
        table::write_report(scenario.name, report, out)?;
    }
    Ok(())
}
