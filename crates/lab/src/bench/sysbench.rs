//! Owns sysbench as the load of a leg: its tables, its command line, what it prints.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::figures::{Figures, MEAN_MS, P99_MS, PER_SECOND};
use super::runner::Work;
use super::stage::Stage;
use crate::galera::APP;
use crate::lab::Lab;
use crate::scenario::sysbench::{first_number, number_in_brackets};

/// For filling the tables, and for ending after the time is up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Fills the tables, past any proxy.
pub(super) async fn prepare(stage: &Stage<'_>) -> Result<()> {
    let (lab, server) = (stage.lab, stage.upstream().context("the server is not on this machine")?);
    lab.progress().say("filling sysbench's tables");
    run(lab, "prepare", vec!["oltp_point_select".into(), "prepare".into()], (server, PATIENCE))
        .await
        .map(drop)
}

/// Runs one of sysbench's loads for a leg.
pub(super) async fn load(
    lab: &Lab,
    leg: &super::runner::Leg<'_>,
    load: &str,
    clients: usize,
) -> Result<Work> {
    let arguments = vec![
        load.to_owned(),
        format!("--threads={clients}"),
        format!("--time={}", leg.seconds),
        "run".to_owned(),
    ];
    let patience = Duration::from_secs(leg.seconds) + PATIENCE;
    read(&run(lab, &leg.name, arguments, (leg.engine.address, patience)).await?)
}

async fn run(
    lab: &Lab,
    name: &str,
    arguments: Vec<String>,
    (address, patience): (SocketAddr, Duration),
) -> Result<String> {
    let process = lab.process(&format!("sysbench-{name}"), move || {
        let mut command = Command::new("sysbench");
        command.arg("--db-driver=mysql").args(["--tables=4", "--table-size=25000", "--rand-type=uniform"]);
        command.arg(format!("--mysql-host={}", address.ip())).arg(format!("--mysql-port={}", address.port()));
        command.args([format!("--mysql-user={APP}"), format!("--mysql-password={APP}")]);
        command.arg(format!("--mysql-db={APP}")).arg("--percentile=99").args(&arguments);
        Ok(command)
    })?;
    process.start().await.context("`scripts/install bench` installs sysbench")?;
    let status = process.wait_exit(patience).await?;
    if !status.success() {
        bail!("sysbench ended with {status}; the end of its output:\n{}", process.log_tail(15));
    }
    Ok(std::fs::read_to_string(process.log_path())?)
}

/// What sysbench counted. The latency is that of an event: a query, or a transaction of the load `oltp_read_write`.
fn read(said: &str) -> Result<Work> {
    let reconnects = first_number(said, "reconnects:")?;
    ensure!(reconnects == 0.0, "sysbench had to reconnect {reconnects} times");
    let figures = Figures::from([
        (PER_SECOND, number_in_brackets(said, "queries:")?),
        // The mean that it prints has two digits after the point, of which one query of one client is six.
        (MEAN_MS, first_number(said, "sum:")? / first_number(said, "total number of events:")?),
        (P99_MS, first_number(said, "99th percentile:")?),
    ]);
    Ok(Work { units: first_number(said, "queries:")?, figures })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "SQL statistics:
    transactions:                        61000   (12130.30 per sec.)
    queries:                             61000  (12130.30 per sec.)
    ignored errors:                      0      (0.00 per sec.)
    reconnects:                          RECONNECTS      (0.00 per sec.)
General statistics:
    total number of events:              61000
Latency (ms):
         min:                                    0.21
         avg:                                    1.31
         max:                                   20.02
         99th percentile:                        4.65
         sum:                                79910.00
";

    #[test]
    fn the_figures_of_a_leg_are_read_from_what_sysbench_prints() {
        let work = read(&SAID.replace("RECONNECTS", "0")).unwrap();
        assert_eq!(work.units, 61000.0);
        assert_eq!(work.figures, Figures::from([(PER_SECOND, 12130.3), (MEAN_MS, 1.31), (P99_MS, 4.65)]));
    }

    #[test]
    fn a_leg_with_lost_connections_is_none() {
        assert!(read(&SAID.replace("RECONNECTS", "1")).is_err());
    }
}
