//! Scenario `drivers`: unmodified clients see through the proxy, byte for byte, what they see direct.
//!
//! The cases are in `python/` and `cases`, what varies from run to run in `settings`, the server's side in `server`.

mod cases;
mod native;
mod program;
mod server;
mod settings;
mod transcript;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use self::settings::{Mode, Settings, Surroundings};
use super::{Run, Scenario, in_lab};
use crate::galera::Node;
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;
use crate::venv;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "drivers",
    about: "PyMySQL, mysqlclient, mariadb and mysql_async see through the proxy what they see direct",
    run: |progress| -> Run { Box::pin(run(progress)) },
};

/// Much longer than the slowest run (the one with 64 MB) takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

const MYSQL_ASYNC: &str = "mysql_async";

struct Driver {
    /// What it is called in `python/client_*.py`.
    name: &'static str,
    /// Modes that it does not have.
    lacks: &'static [Mode],
    /// What else it does not have, in words.
    lacks_besides: &'static [&'static str],
}

const NO_BINARY: &str = "prepared statements of the protocol (PREPARE in SQL is run)";

const DRIVERS: [Driver; 4] = [
    Driver { name: "mariadb", lacks: &[], lacks_besides: &[NO_BINARY] },
    Driver { name: "pymysql", lacks: &[Mode::Compressed, Mode::Everything], lacks_besides: &[NO_BINARY] },
    Driver { name: "mysqlclient", lacks: &[], lacks_besides: &[NO_BINARY] },
    Driver { name: MYSQL_ASYNC, lacks: &[], lacks_besides: &[] },
];

async fn run(progress: Progress) -> Result<Report> {
    let interpreter = venv::python(&progress).await?;
    let builder = Lab::builder().galera(1).zookeeper(1).agents(true).proxies(1);
    let builder =
        server::OPTIONS.iter().fold(builder, |builder, (name, value)| builder.server_option(name, value));
    in_lab(builder, &progress, async |lab, report| compare_all(lab, interpreter, report).await).await
}

/// The two ways to the server.
struct Ways {
    direct: SocketAddr,
    proxied: SocketAddr,
}

async fn compare_all(lab: &Lab, interpreter: PathBuf, report: &mut Report) -> Result<()> {
    let node = lab.nodes().first().context("the lab has no node")?;
    let proxy = lab.proxies().first().context("the lab has no proxy")?;
    let ways = Ways { direct: node.address(), proxied: proxy.address() };
    let names = [ways.direct, ways.proxied].map(|way| way.ip().to_string());
    let surroundings = server::prepare(lab, node, &names).await?;
    proxy.wait_ready().await?;
    let program = program::Program::install(lab.slot().directory(), interpreter)?;
    let tally = Tally::default();
    let mut comparison = Comparison { lab, node, program, ways, surroundings, report, tally };
    for mode in Mode::ALL {
        if mode == Mode::OtherName {
            server::show_other_name(node, &comparison.surroundings).await?;
        }
        for driver in &DRIVERS {
            comparison.compare(driver, mode).await;
        }
    }
    comparison.say_what_was_not_run();
    comparison.tally.record(report);
    Ok(())
}

struct Comparison<'a> {
    lab: &'a Lab,
    node: &'a Node,
    program: program::Program,
    ways: Ways,
    surroundings: Surroundings,
    report: &'a mut Report,
    tally: Tally,
}

/// How much was compared.
#[derive(Default)]
struct Tally {
    transcripts: usize,
    lines: usize,
    different: usize,
    unsupported: usize,
}

impl Tally {
    fn record(&self, report: &mut Report) {
        report.count("transcripts_compared", self.transcripts);
        report.count("lines_compared", self.lines);
        report.count("lines_different", self.different);
        report.count("unsupported", self.unsupported);
    }
}

impl Comparison<'_> {
    async fn compare(&mut self, driver: &Driver, mode: Mode) {
        if driver.lacks.contains(&mode) {
            return;
        }
        let start = Instant::now();
        let what = format!("{}, {}", driver.name, mode.name());
        let transcripts = async {
            let direct = self.run(driver.name, mode, "direct").await?;
            let proxied = self.run(driver.name, mode, "proxied").await?;
            anyhow::Ok((direct, proxied))
        };
        match transcripts.await {
            Ok((direct, proxied)) => self.judge(&what, mode, &direct, &proxied),
            Err(error) => self.report.fail(format!("{what}: {error:#}")),
        }
        let seconds = start.elapsed().as_secs_f64();
        self.lab.progress().say(format_args!("{what}: direct and through the proxy, {seconds:.1} s"));
    }

    async fn run(&self, driver: &'static str, mode: Mode, way: &str) -> Result<String> {
        self.node.execute("DROP DATABASE IF EXISTS drivers").await?;
        let address = if way == "direct" { self.ways.direct } else { self.ways.proxied };
        let settings = self.surroundings.settings(driver, mode, address);
        let name = format!("{driver} {} {way}", mode.name()).replace([' ', ','], "-");
        let run = async {
            match driver {
                MYSQL_ASYNC => self.run_native(&name, &settings).await,
                _ => self.program.run(self.lab, &name, &settings, PATIENCE).await,
            }
        };
        run.await.with_context(|| way.to_owned())
    }

    async fn run_native(&self, name: &str, settings: &Settings) -> Result<String> {
        let transcript = tokio::time::timeout(PATIENCE, native::run(settings)).await;
        let transcript = transcript.with_context(|| format!("not done after {PATIENCE:?}"))??;
        std::fs::write(self.lab.slot().directory().join(format!("{name}.log")), &transcript)?;
        Ok(transcript)
    }

    /// Equal is not enough: both could have failed alike, or not used what the mode is about.
    fn judge(&mut self, what: &str, mode: Mode, direct: &str, proxied: &str) {
        let report = &mut *self.report;
        report.check(direct == proxied, || format!("{what}: {}", first_difference(direct, proxied)));
        report
            .check(direct.ends_with("end of transcript\n"), || format!("{what}: the direct run did not end"));
        let proof = mode.proof();
        report.check(direct.lines().any(|line| line.starts_with(&proof)), || {
            format!("{what}: no line starts with '{proof}'")
        });
        self.tally.transcripts += 1;
        self.tally.lines += direct.lines().count();
        self.tally.different += different(direct, proxied);
    }

    fn say_what_was_not_run(&mut self) {
        for driver in &DRIVERS {
            let modes = driver.lacks.iter().map(|mode| mode.name());
            for lacking in modes.chain(driver.lacks_besides.iter().copied()) {
                self.lab.progress().say(format_args!("not run, {} does not have it: {lacking}", driver.name));
                self.tally.unsupported += 1;
            }
        }
    }
}

fn first_difference(direct: &str, proxied: &str) -> String {
    let mut pairs = direct.lines().zip(proxied.lines()).enumerate();
    match pairs.find(|(_, (direct, proxied))| direct != proxied) {
        Some((number, (direct, proxied))) => {
            format!("line {}: direct '{direct}', through the proxy '{proxied}'", number + 1)
        }
        None => {
            format!("{} lines direct, {} through the proxy", direct.lines().count(), proxied.lines().count())
        }
    }
}

fn different(direct: &str, proxied: &str) -> usize {
    let longer = direct.lines().count().abs_diff(proxied.lines().count());
    direct.lines().zip(proxied.lines()).filter(|(direct, proxied)| direct != proxied).count() + longer
}
