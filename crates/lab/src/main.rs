//! The program `lab`: brings labs up, runs the demo without a person, runs scenarios, soaks and benchmarks. Owns its end by a
//! signal.

mod cli;
mod demo;
mod measure;
mod run;
mod up;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use capitana_lab::Progress;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> Result<bool> {
    if let Command::Floor(floor) = cli.command {
        // It ends by a signal, as programs do that do not care.
        return capitana_lab::bench::serve_floor(floor.address, floor.upstream, floor.on_tokio)
            .map(|()| true);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(until_signalled(cli.command))
}

/// Runs the command. At a signal it is dropped where it stands, and its lab with it.
async fn until_signalled(command: Command) -> Result<bool> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let interactive = matches!(command, Command::Up(_));
    let mut command = std::pin::pin!(run(command));
    tokio::select! {
        outcome = &mut command => return outcome,
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    let _ = writeln!(std::io::stderr(), "taking everything down");
    Ok(interactive)
}

async fn run(command: Command) -> Result<bool> {
    match command {
        Command::Up(size) => Box::pin(up::up(size, &Progress::to(std::io::stdout()))).await,
        Command::DemoCheck => Box::pin(demo::check(&Progress::to(std::io::stdout()))).await,
        Command::Bench(arguments) => Box::pin(measure::bench(arguments, &mut std::io::stdout())).await,
        Command::Soak(arguments) => Box::pin(run::soak(arguments, &mut std::io::stdout())).await,
        Command::Scenario(arguments) => run::scenario(arguments, &mut std::io::stdout()).await,
        Command::EmulatedLoad => capitana_lab::bench::load_emulated().await.map(|()| true),
        // Started before there is a runtime.
        Command::Floor(_) => Ok(false),
    }
}
