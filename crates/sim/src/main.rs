//! The command line of the simulator: one seed with its trace, or many seeds on all cores.

use std::io::{self, Write};
use std::ops::Range;
use std::process::ExitCode;
use std::time::Instant;

use capitana_sim::rule::Broken;
use capitana_sim::{batch, run};
use clap::Parser;

/// Drives whole systems of agents, proxies, ZooKeeper and MariaDB through random faults, and says which seeds fail.
#[derive(Parser)]
struct Args {
    /// One seed
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,

    /// Print what happens in it, line by line
    #[arg(long, requires = "seed")]
    trace: bool,

    /// Many seeds: from and up to, as in 0..100000
    #[arg(long, value_parser = range)]
    seeds: Option<Range<u64>>,

    /// Threads [default: one a core]
    #[arg(long)]
    jobs: Option<usize>,

    /// Break this rule, and see whether it is noticed
    #[arg(long, value_parser = rule, value_name = "RULE")]
    broken: Option<Broken>,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let parts = text.split_once("..").ok_or("two numbers with .. between them, such as 0..1000")?;
    let number = |part: &str| part.parse::<u64>().map_err(|error| format!("{part}: {error}"));
    Ok(number(parts.0)?..number(parts.1)?)
}

fn rule(text: &str) -> Result<Broken, String> {
    let names = || Broken::ALL.map(|(_, name)| name).join(", ");
    let known = Broken::ALL.iter().find(|(_, name)| *name == text);
    known.map(|(broken, _)| *broken).ok_or_else(|| format!("it is one of {}", names()))
}

fn main() -> io::Result<ExitCode> {
    let args = Args::parse();
    match args.seed {
        Some(seed) => one(seed, &args),
        None => many(&args),
    }
}

fn one(seed: u64, args: &Args) -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let outcome = run(seed, args.broken, args.trace);
    for line in &outcome.trace {
        writeln!(out, "{line}")?;
    }
    match outcome.failure {
        None => {
            let settled = outcome.settled_after as f64 / 1e6;
            writeln!(out, "seed {seed}: passed, {} events, settled after {settled:.1} s", outcome.events)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(failure) => {
            writeln!(out, "seed {seed}: {failure}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn many(args: &Args) -> io::Result<ExitCode> {
    let seeds = args.seeds.clone().unwrap_or(0..10_000);
    let began = Instant::now();
    let summary = batch::run(seeds, args.broken, args.jobs.unwrap_or_else(batch::cores), None);
    let mut out = io::stdout().lock();
    for (seed, failure) in &summary.failures {
        writeln!(out, "seed {seed}: {failure}\n    cargo run -p capitana-sim -- --seed {seed} --trace")?;
    }
    let seconds = began.elapsed().as_secs_f64();
    writeln!(out, "{} seeds, {} events, {seconds:.1} s", summary.runs, summary.events)?;
    Ok(if summary.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
