//! Scenario `drivers`: unmodified clients see through the proxy, byte for byte, what they see direct.
//!
//! The cases are in `python/` and `cases`, what varies from run to run in `settings`, the server's side in `server`, one
//! driver's two runs and what is made of them in `comparison`.

mod cases;
mod comparison;
mod native;
mod program;
mod server;
mod settings;
mod transcript;

use std::path::PathBuf;

use anyhow::{Context, Result};

use self::comparison::{Comparison, Tally};
use self::program::Program;
use self::settings::Mode;
use super::{Run, Scenario, in_lab};
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;
use crate::venv;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "drivers",
    about: "PyMySQL, mysqlclient, mariadb and mysql_async see through the proxy what they see direct",
    run: |progress| -> Run { Box::pin(run(progress)) },
};

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
    // mysql_common 0.37 takes the last byte of a nonce for its end if it is 0 (0.38.2 does not any more): one ed25519 login in
    // 256 is refused, also direct.
    Driver { name: MYSQL_ASYNC, lacks: &[Mode::Ed25519, Mode::Everything], lacks_besides: &[] },
];

async fn run(progress: Progress) -> Result<Report> {
    let interpreter = venv::python(&progress).await?;
    let builder = Lab::builder().galera(1).zookeeper(1).agents(true).proxies(1);
    let builder =
        server::OPTIONS.iter().fold(builder, |builder, (name, value)| builder.server_option(name, value));
    in_lab(builder, &progress, async |lab, report| compare_all(lab, interpreter, report).await).await
}

async fn compare_all(lab: &Lab, interpreter: PathBuf, report: &mut Report) -> Result<()> {
    let node = lab.nodes().first().context("the lab has no node")?;
    let proxy = lab.proxies().first().context("the lab has no proxy")?;
    let names = [node.address(), proxy.address()].map(|address| address.ip().to_string());
    let surroundings = server::prepare(lab, node, &names).await?;
    proxy.wait_ready().await?;
    let program = Program::install(lab.slot().directory(), interpreter)?;
    let (proxy, tally) = (proxy.address(), Tally::default());
    let mut comparison = Comparison { lab, node, proxy, program, surroundings, report, tally };
    for mode in Mode::ALL {
        if mode == Mode::OtherName {
            server::show_other_name(node, &comparison.surroundings).await?;
        }
        for driver in &DRIVERS {
            comparison.compare(driver, mode).await;
        }
    }
    for driver in &DRIVERS {
        for lacking in driver.lacks_besides {
            comparison.say_not_run(driver, lacking);
        }
    }
    let Comparison { tally, report, .. } = comparison;
    tally.record(report);
    Ok(())
}
