//! Owns what a benchmark came to, and the one JSON object that scripts read. The table for people is `table`'s.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::figures;
use super::limits::Verdict;
use super::rounds::{CAPITANA, Case};
use super::stage::Stage;
use super::stats::Spread;
use super::{Bench, table};

/// Every round's figures, medians, paired ratios, and which limits hold.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    pub(super) bench: &'static str,
    pub(super) about: &'static str,
    pub(super) pass: bool,
    /// What `cpu_us` and `kilo_instructions` are for one of.
    pub(super) unit: &'static str,
    pub(super) rounds: usize,
    pub(super) seconds: u64,
    pub(super) seed: u64,
    pub(super) machine: Machine,
    /// The engines, in the order of the table, and their versions.
    pub(super) engines: Vec<(String, String)>,
    pub(super) cases: Vec<Case>,
    medians: Vec<BTreeMap<String, BTreeMap<&'static str, Spread>>>,
    /// Capitana's figure over each other engine's, taken within each round.
    ratios: Vec<BTreeMap<String, BTreeMap<&'static str, Spread>>>,
    pub(super) limits: Vec<Verdict>,
}

/// Where it was measured.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Machine {
    pub(super) cores: usize,
    pub(super) kernel: String,
    /// Whether instructions were counted; else CPU time stands in for them.
    pub(super) instructions_counted: bool,
    /// Whether it is one that QEMU emulates.
    pub(super) emulated: bool,
}

impl Outcome {
    /// Judges what was measured.
    pub(super) fn new(bench: Bench, stage: &Stage<'_>, cases: Vec<Case>) -> Self {
        let limits: Vec<_> = bench.limits.iter().flat_map(|limit| limit.judge(&cases)).collect();
        let engines: Vec<_> =
            stage.engines.iter().map(|engine| (engine.name.to_owned(), engine.version.clone())).collect();
        let over = |of: &dyn Fn(&Case, &str, &'static str) -> Option<Spread>| {
            cases.iter().map(|case| by_engine(&engines, |engine, figure| of(case, engine, figure))).collect()
        };
        Self {
            bench: bench.name,
            about: bench.about,
            pass: limits.iter().all(|verdict| verdict.pass != Some(false)),
            unit: bench.unit,
            rounds: stage.options.rounds,
            seconds: stage.options.seconds,
            seed: stage.options.seed,
            machine: Machine::of(stage),
            medians: over(&|case, engine, figure| case.spread(engine, figure)),
            ratios: over(&|case, engine, figure| {
                case.ratio(CAPITANA, engine, figure).filter(|_| engine != CAPITANA)
            }),
            engines,
            cases,
            limits,
        }
    }

    /// Whether no limit was missed.
    pub fn passed(&self) -> bool {
        self.pass
    }

    /// Writes the one JSON object that scripts read.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }

    /// Writes the same for people, as Markdown.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        table::write(self, out)
    }
}

impl Machine {
    fn of(stage: &Stage<'_>) -> Self {
        let instructions_counted = stage.counts;
        match stage.kernel.get() {
            Some(kernel) => Self { cores: 1, kernel: kernel.clone(), instructions_counted, emulated: true },
            None => Self {
                cores: std::thread::available_parallelism().map_or(1, usize::from),
                kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
                instructions_counted,
                emulated: false,
            },
        }
    }
}

fn by_engine(
    engines: &[(String, String)],
    of: impl Fn(&str, &'static str) -> Option<Spread>,
) -> BTreeMap<String, BTreeMap<&'static str, Spread>> {
    let figures = |engine: &str| {
        let measured = figures::ALL.iter().filter_map(|figure| Some((*figure, of(engine, figure)?)));
        measured.collect::<BTreeMap<_, _>>()
    };
    engines.iter().map(|(engine, _)| (engine.clone(), figures(engine))).collect()
}
