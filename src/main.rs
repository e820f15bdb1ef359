//! The `capitana` command: understand what was typed, load the settings, start the log, run, and say in one line
//! why it ended. Everything else is in the library.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use capitana::cli::{self, Request};
use capitana::config::load::Daemon;
use capitana::config::settings::{AgentSettings, ProxySettings, WorkerSettings};
use capitana::error::Error;
use capitana::live::Live;
use capitana::{agent, exit, logging, proxy, worker};
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
        Request::Proxy(matches) => proxy::run(start::<ProxySettings>(matches)?),
        Request::Agent(matches) => agent::run(start::<AgentSettings>(matches)?),
        Request::Worker(task, matches) => {
            return worker::run(&start::<WorkerSettings>(matches)?, task.task());
        }
        Request::Guard(args) => return args.run(),
        Request::Vip(args) => args.run(),
        Request::Order(order, matches) => order.run(&matches, out, &mut io::stderr()),
        Request::Status(args, matches) => args.run(&matches, out),
        Request::Services(args, matches) => args.run(&matches, out),
        Request::Primary(args, matches) => args.run(&matches, out),
        Request::Doctor(args, matches) => return args.run(&matches, out),
        Request::CheckConfig(args) => args.run(out, &mut io::stderr()),
        Request::Config(args, matches) => args.run(&matches, out, &mut io::stderr()),
        Request::Completions(args) => args.run(out),
        Request::Print(text) => out.write_all(text.as_bytes()).map_err(Error::Output),
    }?;
    Ok(exit::OK)
}

/// Loads the settings of a daemon, and starts the log as they say.
fn start<D: Daemon>(matches: ArgMatches) -> Result<Live<D>, Error> {
    let mut live = Live::<D>::load(matches)?;
    let common = D::common(live.config());
    let log = logging::install(common.log_format, &common.log_level)?;
    live.log_to(log);
    Ok(live)
}

/// The last line of a command that failed. Nothing can be done if even that cannot be written.
fn say(error: &Error) {
    let _ = match error {
        Error::Usage(text) => writeln!(io::stderr(), "{}", text.trim_end()),
        error => writeln!(io::stderr(), "capitana: {error}"),
    };
}
