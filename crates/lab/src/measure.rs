//! Owns `lab bench`: one, all, or the list of them, for people and for scripts.

use std::io::Write;

use anyhow::{Result, bail};
use capitana_lab::Progress;
use capitana_lab::bench::{self, Bench, Options};

use crate::cli::BenchArgs;

/// Runs what is asked for. True: no limit was missed.
pub(crate) async fn bench(arguments: BenchArgs, out: &mut dyn Write) -> Result<bool> {
    let benches = match arguments.name.as_deref() {
        _ if arguments.list => return list(out),
        None | Some("all") => bench::all(),
        Some(name) => match bench::find(name) {
            Some(bench) => vec![bench],
            None => bail!("there is no benchmark `{name}`; `lab bench --list` shows those there are"),
        },
    };
    let options = Options {
        rounds: usize::from(arguments.rounds),
        seconds: arguments.seconds,
        seed: arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000)),
        clients: arguments.clients,
        peers: arguments.peer,
    };
    let mut passed = true;
    for bench in benches {
        passed &= run(bench, &options, arguments.json, out).await?;
    }
    Ok(passed)
}

fn list(out: &mut dyn Write) -> Result<bool> {
    for bench in bench::all() {
        writeln!(out, "{:<20} {}", bench.name, bench.about)?;
    }
    Ok(true)
}

async fn run(bench: Bench, options: &Options, json: bool, out: &mut dyn Write) -> Result<bool> {
    let progress = Progress::stderr();
    progress.say(format_args!("benchmark {}: {} (seed {})", bench.name, bench.about, options.seed));
    let outcome = bench::run(bench, options, &progress).await?;
    if json {
        outcome.write_json(out)?;
    } else {
        outcome.write_text(out)?;
    }
    Ok(outcome.passed())
}
