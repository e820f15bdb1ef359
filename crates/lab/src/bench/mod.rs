//! Benchmarks of the whole: capitana beside a direct connection and the peers that are installed, in one run. Owns their
//! list and how one is run; each is a module beside this one.
//!
//! Client, engine and server share this machine. In every round each engine has one leg, in an order drawn anew, and
//! figures are compared within the round: what disturbs the machine for a while disturbs all of them.

mod bulk;
mod capitana;
mod connect;
mod emulated;
mod engine;
mod figures;
mod floor;
mod idle;
mod limits;
mod meter;
mod mixed;
mod outcome;
mod peers;
mod perf;
mod point;
pub(crate) mod processes;
mod rounds;
mod runner;
pub(crate) mod server;
mod stage;
mod stats;
pub(crate) mod stub;
mod sysbench;
mod table;
pub(crate) mod wire;

use std::pin::Pin;

use anyhow::Result;

use crate::lab::Lab;
use crate::progress::Progress;

use limits::Limit;
use rounds::Case;
use stage::Stage;

pub use emulated::load as load_emulated;
pub use floor::serve as serve_floor;
pub use outcome::Outcome;

/// How a benchmark is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Rounds that count; one more warms up.
    pub rounds: usize,
    /// How long one leg lasts, in seconds, where its length is a time.
    pub seconds: u64,
    /// What the order of the legs is drawn from.
    pub seed: u64,
    /// How many clients, for those that have several cases of that; empty for all of them.
    pub clients: Vec<usize>,
    /// Peers that only run when asked for.
    pub peers: Vec<String>,
}

/// Something that is measured. To add one: a module with a `pub(super) const BENCH`, and a line in [`all`].
#[derive(Debug, Clone, Copy)]
pub struct Bench {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it measures, in one line.
    pub about: &'static str,
    /// What its figures are for one of: a query, for example.
    unit: &'static str,
    upstream: Upstream,
    limits: &'static [Limit],
    cases: for<'a> fn(&'a Stage<'a>) -> Cases<'a>,
}

type Cases<'a> = Pin<Box<dyn Future<Output = Result<Vec<Case>>> + 'a>>;

/// What the engines lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upstream {
    /// A MariaDB without Galera: replication would be the same for all.
    MariaDb,
    /// The lab's own, which only greets and says yes: many sessions cost it nothing.
    Stub,
    /// A MariaDB in an emulated machine, and the engines with it.
    Emulated,
}

/// Every benchmark, in the order in which `lab bench all` runs them.
pub fn all() -> Vec<Bench> {
    vec![
        point::POINT_SELECT,
        point::READ_WRITE,
        bulk::BENCH,
        connect::BENCH,
        idle::BENCH,
        mixed::BENCH,
        emulated::BENCH,
    ]
}

/// The benchmark called `name`.
pub fn find(name: &str) -> Option<Bench> {
    all().into_iter().find(|bench| bench.name == name)
}

/// Runs a benchmark in a lab of its own. When it cannot be run to its end the logs are kept.
///
/// # Errors
/// The server or capitana does not start, or a leg fails.
pub async fn run(bench: Bench, options: &Options, progress: &Progress) -> Result<Outcome> {
    processes::raise_descriptor_limit();
    let lab = Lab::builder().start(progress).await?;
    match measure(bench, options, &lab).await {
        Ok(outcome) => {
            lab.shutdown().await?;
            Ok(outcome)
        }
        Err(error) => {
            let logs = lab.fail().await?;
            Err(error.context(format!("the logs of the failed run are in {}", logs.display())))
        }
    }
}

async fn measure(bench: Bench, options: &Options, lab: &Lab) -> Result<Outcome> {
    let stage = Stage::set(lab, bench.upstream, options).await?;
    let cases = (bench.cases)(&stage).await?;
    Ok(Outcome::new(bench, &stage, cases))
}
