//! The `capitana` command: understand what was typed, load the settings, start the log, run, and say in one line
//! why it ended. Everything else is in the library.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use capitana::cli::{self, Request};
use capitana::config::CommonConfig;
use capitana::config::load::{Daemon, load};
use capitana::config::settings::{AgentSettings, ProxySettings};
use capitana::error::Error;
use capitana::logging::LogControl;
use capitana::{agent, exit, logging, proxy};
use clap::ArgMatches;
use tikv_jemallocator::Jemalloc;

/// An idle session is a handful of allocations that tokio aligns to 128 bytes, and glibc pads each by up to 128 more: 1.8 KB
/// a session instead of 1.5 (measured with 4,500 of them). The language wants a static here.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    match cli::parse(&arguments).and_then(run) {
        Ok(code) => ExitCode::from(code),
        Err(Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(exit::OK),
        Err(error) => {
            say(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Answers the exit code of what went well.
fn run(request: Request) -> Result<u8, Error> {
    let out = &mut io::stdout();
    match request {
        Request::Proxy(matches) => {
            let loaded = load::<ProxySettings>(&matches)?;
            let log = start_log(&loaded.config.common, &loaded.warnings)?;
            proxy::run(loaded.config, &|| {
                let config = reload::<ProxySettings>(&matches)?;
                log.set_filter(&config.common.log_level)?;
                Ok(config)
            })
        }
        Request::Agent(matches) => {
            let loaded = load::<AgentSettings>(&matches)?;
            let log = start_log(&loaded.config.common, &loaded.warnings)?;
            agent::run(&loaded.config, &|| {
                let config = reload::<AgentSettings>(&matches)?;
                log.set_filter(&config.common.log_level)?;
                Ok(config)
            })
        }
        Request::Order(order, matches) => order.run(&matches, out, &mut io::stderr()),
        Request::Status(args, matches) => args.run(&matches, out),
        Request::Primary(args, matches) => args.run(&matches, out),
        Request::Doctor(args, matches) => return args.run(&matches, out),
        Request::CheckConfig(args) => args.run(out, &mut io::stderr()),
        Request::Completions(args) => args.run(out),
        Request::Print(text) => out.write_all(text.as_bytes()).map_err(Error::Output),
    }?;
    Ok(exit::OK)
}

fn start_log(common: &CommonConfig, warnings: &[String]) -> Result<LogControl, Error> {
    let log = logging::install(common.log_format, &common.log_level)?;
    warn(warnings);
    Ok(log)
}

/// Reads the settings of a running daemon again.
fn reload<D: Daemon>(matches: &ArgMatches) -> Result<D::Config, Error> {
    let loaded = load::<D>(matches)?;
    warn(&loaded.warnings);
    Ok(loaded.config)
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

/// The last line of a command that failed. Nothing can be done if even that cannot be written.
fn say(error: &Error) {
    let _ = match error {
        Error::Usage(text) => writeln!(io::stderr(), "{}", text.trim_end()),
        error => writeln!(io::stderr(), "capitana: {error}"),
    };
}
