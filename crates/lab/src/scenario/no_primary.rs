//! Scenario `no-primary`: all agents are gone for longer than clients are held. Every held client is told so in an error
//! packet that its driver understands, and holding costs no memory that is not given back.

mod drivers;
mod waves;

use std::time::Duration;

use anyhow::Result;

use self::drivers::Refused;
use super::scene::{self, PATIENCE};
use super::{Scenario, in_lab};
use crate::client;
use crate::galera::APP;
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;
use crate::venv;
use crate::wait::wait_until;

/// How long clients are held here: shorter than by default, as there are several waves of them.
const HOLD: Duration = Duration::from_secs(4);
/// A driver in Python on a busy machine needs a while to start.
const LATE: Duration = Duration::from_secs(6);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "no-primary",
    about: "all agents are gone: every held client gets an error that four drivers understand; memory stays flat",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let interpreter = venv::python(&progress).await?;
    let hold = format!("{}s", HOLD.as_secs());
    let builder = scene::builder().proxy_argument("--hold-timeout").proxy_argument(&hold);
    let body = async |lab: &Lab, report: &mut Report| {
        lab.agreed_route(0, PATIENCE).await?;
        leave(lab).await?;
        for refused in drivers::all(lab, &interpreter).await? {
            judge(&refused, report);
        }
        waves::run(lab, HOLD, report).await?;
        come_back(lab, report).await
    };
    in_lab(builder, &progress, body).await
}

async fn leave(lab: &Lab) -> Result<()> {
    for agent in lab.agents() {
        agent.stop().await?;
    }
    let nobody = async || {
        for proxy in lab.proxies() {
            proxy.status().await.ok().filter(|status| status.route.is_none())?;
        }
        Some(())
    };
    wait_until(PATIENCE, "no proxy has a primary", nobody).await?;
    lab.progress().say("all agents are gone, and the proxies know no primary");
    Ok(())
}

fn judge(refused: &Refused, report: &mut Report) {
    let Refused { driver, code, text, took } = refused;
    let told = format!("told_{driver}_ms");
    report.at_least(&told, *took, HOLD).because(|| text.clone());
    report.at_most(&told, *took, HOLD + LATE).because(|| text.clone());
    report.count(&format!("code_{driver}"), code.map_or(0, usize::from));
    // What drivers say by themselves when a connection ends without an error packet.
    let own = matches!(code, None | Some(2000..=2099));
    report.check(!own, || format!("{driver} saw no error packet: {code:?} {text}"));
}

async fn come_back(lab: &Lab, report: &mut Report) -> Result<()> {
    let start = std::time::Instant::now();
    for agent in lab.agents() {
        agent.start().await?;
    }
    lab.agreed_route(0, PATIENCE).await?;
    report.millis("agents_back_ms", start.elapsed());
    for proxy in lab.proxies() {
        client::connect(proxy.address(), APP, APP).await?.disconnect().await?;
    }
    Ok(())
}
