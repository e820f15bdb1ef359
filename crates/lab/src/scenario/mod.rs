//! Owns the list of scenarios, and how one is run. Each is a module beside this one.

mod aborted_clients;
mod agent_cut_long;
mod agent_cut_short;
mod agent_freeze;
pub mod agent_restart;
mod canary_cost;
mod causal_reads;
mod checksums;
mod config_live;
mod connections_full;
mod crash_primary;
mod data_path;
mod detect_crash;
mod discovery;
mod donor;
mod drain_race;
mod drivers;
mod fd_limit;
mod fencing;
mod flapping;
mod follow;
mod half_close;
mod host_down;
mod kazoo;
mod long_streams;
mod long_transaction;
pub mod lost_create_reply;
mod mariadb_frozen;
mod minority;
mod no_primary;
mod plain_mariadb;
mod proxy_header;
mod raw;
mod read_after_write;
mod rejoin;
mod replicas;
mod rogue_member;
mod scene;
mod sequence_wrap;
mod slow_reader;
pub mod soak;
mod stale_follower;
mod step_down;
mod stop_primary;
mod storm;
mod stuck_commits;
pub mod sysbench;
mod vip;
mod worker_failover;
mod worker_fencing;
mod worker_herd;
mod zk_down_fence;
mod zk_leader_and_primary;
mod zk_member_loss;
pub mod zk_outage;
mod zk_outage_and_crash;
mod zk_secure;

use std::future::Future;
use std::pin::Pin;

use anyhow::Result;

use crate::builder::Builder;
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;

/// What a scenario's run gives: its report, or why there is none.
pub type Run = Pin<Box<dyn Future<Output = Result<Report>>>>;

/// Something that is shown on real parts. To add one: a module with a `pub(super) const SCENARIO`, and a line in
/// [`all`].
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it shows, in one line.
    pub about: &'static str,
    /// Runs it. It says on the way what it does and sees.
    pub run: fn(Progress) -> Run,
}

/// Every scenario, in the order in which `lab scenario all` runs them.
pub fn all() -> Vec<Scenario> {
    vec![
        follow::SCENARIO,
        kazoo::SCENARIO,
        drivers::SCENARIO,
        sysbench::SCENARIO,
        drain_race::SCENARIO,
        crash_primary::SCENARIO,
        host_down::SCENARIO,
        stop_primary::SCENARIO,
        step_down::SCENARIO,
        long_transaction::SCENARIO,
        read_after_write::SCENARIO,
        rejoin::SCENARIO,
        replicas::SCENARIO,
        causal_reads::SCENARIO,
        zk_outage::SCENARIO,
        zk_outage_and_crash::SCENARIO,
        zk_member_loss::SCENARIO,
        zk_leader_and_primary::SCENARIO,
        stale_follower::SCENARIO,
        rogue_member::SCENARIO,
        no_primary::SCENARIO,
        storm::SCENARIO,
        aborted_clients::SCENARIO,
        proxy_header::SCENARIO,
        agent_freeze::SCENARIO,
        agent_cut_short::SCENARIO,
        agent_cut_long::SCENARIO,
        zk_down_fence::SCENARIO,
        detect_crash::SCENARIO,
        connections_full::SCENARIO,
        stuck_commits::SCENARIO,
        mariadb_frozen::SCENARIO,
        plain_mariadb::SCENARIO,
        canary_cost::SCENARIO,
        slow_reader::SCENARIO,
        half_close::SCENARIO,
        fd_limit::SCENARIO,
        checksums::SCENARIO,
        long_streams::SCENARIO,
        soak::SCENARIO,
        agent_restart::SCENARIO,
        lost_create_reply::SCENARIO,
        sequence_wrap::SCENARIO,
        zk_secure::SCENARIO,
        config_live::SCENARIO,
        minority::SCENARIO,
        donor::SCENARIO,
        flapping::SCENARIO,
        discovery::SCENARIO,
        worker_failover::SCENARIO,
        worker_fencing::SCENARIO,
        worker_herd::SCENARIO,
        vip::SCENARIO,
    ]
}

/// The scenario called `name`.
pub fn find(name: &str) -> Option<Scenario> {
    all().into_iter().find(|scenario| scenario.name == name)
}

/// Brings a lab up, runs `body` in it and ends the lab. When the report has failures, or `body` an error, which becomes
/// one, the logs are kept and it is said where.
///
/// # Errors
/// The lab does not come up or cannot be ended.
pub async fn in_lab(
    builder: Builder,
    progress: &Progress,
    body: impl AsyncFnOnce(&Lab, &mut Report) -> Result<()>,
) -> Result<Report> {
    let lab = builder.start(progress).await?;
    let mut report = Report::default();
    if let Err(error) = body(&lab, &mut report).await {
        report.fail(format!("{error:#}"));
    }
    if report.passed() {
        lab.shutdown().await?;
    } else {
        let logs = lab.fail().await?;
        progress.say(format_args!("the logs of the failed run are in {}", logs.display()));
    }
    Ok(report)
}
