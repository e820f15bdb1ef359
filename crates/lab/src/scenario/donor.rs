//! Scenario `donor`: a node that has lost its data joins by a whole state transfer (SST) under load. The other replica
//! is named as its donor (`wsrep_sst_donor`), so that the primary is none; then, in a second lab, the primary is the one
//! that is named, and gives its place up if it is a donor for long. Clients get no error either way.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;

use super::scene::{self, PATIENCE, ROWS, Scene};
use super::{Scenario, in_lab};
use crate::bank::quick;
use crate::galera::Node;
use crate::lab::Lab;
use crate::load::Verdict;
use crate::progress::Progress;
use crate::report::Report;

/// Between two looks at who is the donor. The transfer of a small data directory takes a second or two.
const LOOK: Duration = Duration::from_millis(20);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "donor",
    about: "a node joins by SST under load, from the other replica and from the primary",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let mut report =
        in_lab(scene::builder(), &progress, async |lab, report| replica(lab, report).await).await?;
    if !quick() {
        let primary =
            in_lab(scene::builder(), &progress, async |lab, report| primary(lab, report).await).await?;
        report.take_over("from_the_primary", primary);
    }
    Ok(report)
}

/// The other replica feeds it: nobody notices.
async fn replica(lab: &Lab, report: &mut Report) -> Result<()> {
    let scene = Scene::open(lab).await?;
    let (primary, count) = (scene.primary()?, lab.nodes().len());
    let donors = join(lab, (primary + 1) % count, (primary + 2) % count).await?;
    let named = usize::from(donors.contains(&((primary + 2) % count)));
    report.exactly("the_other_replica_was_the_donor", named, 1);
    report.none("the_primary_was_the_donor", usize::from(donors.contains(&primary)));
    scene.close_unnoticed(report).await
}

/// The primary feeds it: whether it goes on to lead or not, no client gets an error.
async fn primary(lab: &Lab, report: &mut Report) -> Result<()> {
    let scene = Scene::open(lab).await?;
    let (primary, count) = (scene.primary()?, lab.nodes().len());
    let donors = join(lab, (primary + 1) % count, primary).await?;
    report.exactly("the_primary_was_the_donor", usize::from(donors.contains(&primary)), 1);
    scene.writers.wait_rows(ROWS).await?;
    let (route, _) = lab.agreed_route(0, PATIENCE).await?;
    report.count("it_stepped_down", usize::from(route.epoch != scene.first.epoch));
    let ledger = scene.writers.stop().await?;
    Verdict::read(&lab.nodes()[primary], &ledger).await?.report(&ledger, report);
    scene::report_visits(&scene.newcomers.stop().await?, report);
    Ok(())
}

/// The same as [`transfer`], watched by the joiner's agent.
async fn join(lab: &Lab, joiner: usize, donor: usize) -> Result<Vec<usize>> {
    let donors = transfer(lab, joiner, donor).await?;
    scene::followed(lab, lab.nodes().len()).await?;
    Ok(donors)
}

/// Has node `joiner` forget its state and come back with `donor` named, and answers which nodes were donors.
pub(super) async fn transfer(lab: &Lab, joiner: usize, donor: usize) -> Result<Vec<usize>> {
    let (joiner, donor) = (&lab.nodes()[joiner], &lab.nodes()[donor]);
    joiner.stop().await?;
    scene::followed(lab, lab.nodes().len() - 1).await?;
    forget(joiner, donor.name())?;
    let (done, looked) = (CancellationToken::new(), lab.nodes());
    let seen = async {
        let mut donors = vec![false; looked.len()];
        while !done.is_cancelled() {
            for (index, node) in looked.iter().enumerate() {
                let status = node.status().await;
                donors[index] |= status.is_ok_and(|status| status.state.starts_with("Donor"));
            }
            tokio::time::sleep(LOOK).await;
        }
        donors
    };
    let joined = async {
        joiner.start().await?;
        let ready = joiner.wait_ready(looked.len()).await;
        done.cancel();
        ready
    };
    let (donors, joined) = tokio::join!(seen, joined);
    joined?;
    let donors: Vec<_> = (0..looked.len()).filter(|index| donors[*index]).collect();
    let names: Vec<_> = donors.iter().map(|index| looked[*index].name()).collect();
    lab.progress().say(format_args!("{} has joined; donor: {names:?}", joiner.name()));
    Ok(donors)
}

/// Without its state file a node asks for everything. The comma allows any donor where the named one is gone.
fn forget(node: &Node, donor: &str) -> Result<()> {
    let state = node.directory().join("data/grastate.dat");
    std::fs::remove_file(&state).with_context(|| format!("cannot remove {}", state.display()))?;
    let path = node.directory().join("my.cnf");
    let mut file = OpenOptions::new().append(true).open(&path)?;
    writeln!(file, "wsrep_sst_donor={donor},").with_context(|| format!("cannot write {}", path.display()))
}
