//! Runs a driver both ways, compares the two transcripts, and counts.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::program::Program;
use super::settings::{Mode, Settings, Surroundings};
use super::{Driver, MYSQL_ASYNC, native};
use crate::galera::Node;
use crate::lab::Lab;
use crate::report::Report;

/// Much longer than the slowest run (the one with 64 MB) takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) struct Comparison<'a> {
    pub(super) lab: &'a Lab,
    pub(super) node: &'a Node,
    pub(super) proxy: SocketAddr,
    pub(super) program: Program,
    pub(super) surroundings: Surroundings,
    pub(super) report: &'a mut Report,
    pub(super) tally: Tally,
}

/// How much was compared.
#[derive(Debug, Default)]
pub(super) struct Tally {
    transcripts: usize,
    lines: usize,
    different: usize,
    unsupported: usize,
}

impl Tally {
    pub(super) fn record(&self, report: &mut Report) {
        report.count("transcripts_compared", self.transcripts);
        report.count("lines_compared", self.lines);
        report.none("lines_different", self.different);
        report.count("unsupported", self.unsupported);
    }
}

impl Comparison<'_> {
    pub(super) async fn compare(&mut self, driver: &Driver, mode: Mode) {
        if driver.lacks.contains(&mode) {
            return self.say_not_run(driver, mode.name());
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
        let address = if way == "direct" { self.node.address() } else { self.proxy };
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

    pub(super) fn say_not_run(&mut self, driver: &Driver, lacking: &str) {
        self.lab.progress().say(format_args!("not run, {} does not have it: {lacking}", driver.name));
        self.tally.unsupported += 1;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_differs_is_told_with_its_number() {
        let said = first_difference("one\ntwo\n", "one\nzwei\n");
        assert_eq!(said, "line 2: direct 'two', through the proxy 'zwei'");
        assert_eq!(different("one\ntwo\n", "one\nzwei\n"), 1);
    }

    #[test]
    fn lines_that_one_way_lacks_are_differences() {
        assert_eq!(first_difference("one\ntwo\n", "one\n"), "2 lines direct, 1 through the proxy");
        assert_eq!(different("one\ntwo\n", "one\n"), 1);
    }
}
