//! Scenario `sysbench`: an ordinary load runs through the proxy without an error or a lost connection.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Run, Scenario, in_lab};
use crate::galera::APP;
use crate::lab::Lab;
use crate::process::Process;
use crate::progress::Progress;
use crate::report::Report;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "sysbench",
    about: "sysbench oltp_read_write with 16 threads for a minute through the proxy: no error",
    run: |progress| -> Run { Box::pin(run(progress, Duration::from_secs(60))) },
};

const THREADS: &str = "16";

/// Filling the tables, or ending after the time is up, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the load for `duration`.
///
/// # Errors
/// The lab does not come up.
pub async fn run(progress: Progress, duration: Duration) -> Result<Report> {
    let builder = Lab::builder().galera(1).zookeeper(1).agents(true).proxies(1);
    in_lab(builder, &progress, async |lab, report| load(lab, duration, report).await).await
}

async fn load(lab: &Lab, duration: Duration, report: &mut Report) -> Result<()> {
    let proxy = lab.proxies().first().context("the lab has no proxy")?;
    let seconds = duration.as_secs().to_string();
    lab.progress().say("filling sysbench's tables through the proxy");
    run_to_end(sysbench(lab, proxy.address(), "prepare", &[])?, PATIENCE).await?;
    lab.progress().say(format_args!("oltp_read_write, {THREADS} threads, {seconds} s"));
    let options = ["--time", &seconds, "--threads", THREADS, "--report-interval", "5"];
    let said = run_to_end(sysbench(lab, proxy.address(), "run", &options)?, duration + PATIENCE).await?;
    lab.progress().line(said.trim_end());
    judge(&said, report)
}

/// Fills the tables.
///
/// # Errors
/// sysbench is missing, or fails.
pub(super) async fn prepare(lab: &Lab, address: SocketAddr) -> Result<()> {
    run_to_end(sysbench(lab, address, "prepare", &[])?, PATIENCE).await.map(drop)
}

/// Transactions a second in one run of `duration`.
///
/// # Errors
/// sysbench fails.
pub(super) async fn transactions(lab: &Lab, address: SocketAddr, duration: Duration) -> Result<f64> {
    let options = ["--time", &duration.as_secs().to_string(), "--threads", THREADS];
    let said = run_to_end(sysbench(lab, address, "run", &options)?, duration + PATIENCE).await?;
    number_in_brackets(&said, "transactions:")
}

fn sysbench(lab: &Lab, address: SocketAddr, step: &str, options: &[&str]) -> Result<Process> {
    let mut arguments = vec![
        "oltp_read_write".to_owned(),
        "--db-driver=mysql".to_owned(),
        format!("--mysql-host={}", address.ip()),
        format!("--mysql-port={}", address.port()),
        format!("--mysql-user={APP}"),
        format!("--mysql-password={APP}"),
        format!("--mysql-db={APP}"),
        // Many rows, all as likely: with hot ones the database itself answers some transactions with a deadlock.
        "--tables=8".to_owned(),
        "--table-size=20000".to_owned(),
        "--rand-type=uniform".to_owned(),
    ];
    for option in options.chunks(2) {
        arguments.push(option.join("="));
    }
    arguments.push(step.to_owned());
    lab.process(&format!("sysbench-{step}"), move || {
        let mut command = Command::new("sysbench");
        command.args(&arguments);
        Ok(command)
    })
}

async fn run_to_end(process: Process, patience: Duration) -> Result<String> {
    // The log is that of all runs.
    let before = std::fs::read_to_string(process.log_path()).map_or(0, |log| log.len());
    process.start().await.context("`scripts/install test` installs sysbench")?;
    let status = process.wait_exit(patience).await?;
    let said = std::fs::read_to_string(process.log_path())?.split_off(before);
    if !status.success() {
        bail!("{} ended with {status}; the end of its output:\n{}", process.name(), process.log_tail(15));
    }
    Ok(said)
}

fn judge(said: &str, report: &mut Report) -> Result<()> {
    report.figure("transactions", first_number(said, "transactions:")?);
    report.figure("queries_per_second", number_in_brackets(said, "queries:")?);
    report.figure("p95_ms", first_number(said, "95th percentile:")?);
    report.exactly("reconnects", first_number(said, "reconnects:")?, 0.0);
    report.exactly("errors", first_number(said, "ignored errors:")?, 0.0);
    Ok(())
}

fn line<'a>(said: &'a str, label: &str) -> Result<&'a str> {
    let found = said.lines().find_map(|line| line.trim_start().strip_prefix(label));
    found.with_context(|| format!("sysbench printed no line '{label}'"))
}

/// The number that follows a label in what sysbench prints.
pub(crate) fn first_number(said: &str, label: &str) -> Result<f64> {
    let word = line(said, label)?.split_whitespace().next().unwrap_or_default();
    word.parse().with_context(|| format!("sysbench printed '{word}' after '{label}'"))
}

/// The rate in `queries:   1234   (123.40 per sec.)`.
pub(crate) fn number_in_brackets(said: &str, label: &str) -> Result<f64> {
    let (_, rate) = line(said, label)?.split_once('(').context("sysbench printed no rate")?;
    let word = rate.split_whitespace().next().unwrap_or_default();
    word.parse().with_context(|| format!("sysbench printed the rate '{word}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "SQL statistics:
    transactions:                        1220   (121.30 per sec.)
    queries:                             24400  (2426.01 per sec.)
    ignored errors:                      2      (0.20 per sec.)
    reconnects:                          0      (0.00 per sec.)
Latency (ms):
         95th percentile:                      176.73
";

    #[test]
    fn figures_are_read_from_what_sysbench_prints_and_an_error_fails_the_scenario() {
        let mut report = Report::default();
        judge(SAID, &mut report).unwrap();
        assert_eq!(report.figures()["queries_per_second"], 2426.01);
        assert_eq!(report.figures()["p95_ms"], 176.73);
        assert_eq!(report.failures(), ["errors is 2, limit = 0"]);
    }
}
