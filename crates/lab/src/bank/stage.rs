//! Owns a failover as a whole: the lab in which it happens, the clients that live through it, and what they see of it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::probes::Probes;
use super::{Bank, Fault, Tally, audit, timeline};
use crate::builder::Builder;
use crate::lab::Lab;
use crate::progress::shown;
use crate::report::Report;
use crate::status::Route;

/// Customers of the bank.
const CUSTOMERS: usize = 100;
/// Transfers that every customer makes before a failover, and after it.
const TRANSFERS: u64 = 2;
/// How long it is waited for the proxies to agree on the next primary: one that is late is measured, too.
const PATIENCE: Duration = Duration::from_secs(30);

/// Set, it asks for fewer rounds, for the tests.
const QUICK: &str = "CAPITANA_LAB_QUICK";

/// Three Galera nodes with agents, three ZooKeeper servers, two proxies, all with short timeouts.
pub(crate) fn lab_of_the_issue() -> Builder {
    Lab::builder().galera(3).zookeeper(3).agents(true).proxies(2)
}

/// Whether fewer rounds are asked for.
pub(crate) fn quick() -> bool {
    std::env::var_os(QUICK).is_some()
}

/// The smallest of the values that is not below `percent` of them.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or(f64::NAN)
}

/// A lab at work.
pub(crate) struct Stage<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) bank: Bank,
    pub(crate) route: Route,
    probes: Probes,
    begun: Tally,
    /// Changes of the primary while what was lost came back.
    strayed: usize,
}

/// What was seen of one failover.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// When the primary was lost.
    pub(crate) fault: Instant,
    /// The same by the calendar, in milliseconds since 1970, as the proxies' records have it.
    fault_unix_ms: u64,
    /// The longest time without an acknowledged transfer.
    pub(crate) gap: Duration,
    /// From the fault until the first write was acknowledged on the new primary, to a client of its own.
    pub(crate) floor: Option<Duration>,
    /// From the fault until the first write was acknowledged on the new primary, through a proxy.
    pub(crate) led: Option<Duration>,
    /// From the fault until the first proxy led new sessions to the new primary, as it says itself.
    pub(crate) opened: Option<Duration>,
    /// From the moment that a proxy saw the old primary's end until its last session with it was gone, in milliseconds:
    /// of the slowest proxy. Without end where one has not said.
    pub(crate) old_gone_ms: f64,
    /// What the customers saw.
    pub(crate) tally: Tally,
    /// The most sessions that broke of one customer.
    pub(crate) most_broken: u64,
}

impl Seen {
    /// What the way through a proxy adds, in milliseconds. Less than nothing where the new primary was open before a
    /// pending write of its own client was answered.
    pub(crate) fn added_ms(&self) -> Option<f64> {
        Some(millis_between(self.floor?, self.led?))
    }

    /// The part of that which is over when the proxy opens; the rest is connecting, and a client's transaction.
    pub(crate) fn opened_after_floor_ms(&self) -> Option<f64> {
        Some(millis_between(self.floor?, self.opened?))
    }
}

fn millis_between(from: Duration, to: Duration) -> f64 {
    (to.as_secs_f64() - from.as_secs_f64()) * 1_000.0
}

impl<'a> Stage<'a> {
    /// Makes the bank, and lets its customers in.
    ///
    /// # Errors
    /// A node or a proxy refuses.
    pub(crate) async fn enter(lab: &'a Lab) -> Result<Self> {
        let (route, _) = lab.agreed_route(0, PATIENCE).await?;
        Bank::prepare(lab.nodes().first().context("no node")?).await?;
        let seed = fastrand::u64(..);
        lab.progress().say(format_args!(
            "{} leads; {CUSTOMERS} customers move money through two proxies (seed {seed})",
            route.upstream
        ));
        let bank = Bank::open(lab, CUSTOMERS, seed);
        let probes = Probes::start(lab).await?;
        bank.wait_transfers(TRANSFERS).await?;
        Ok(Self { lab, bank, route, probes, begun: Tally::default(), strayed: 0 })
    }

    /// The node that leads.
    ///
    /// # Errors
    /// The route is to no node of the lab.
    pub(crate) fn primary(&self) -> Result<usize> {
        let upstream = &self.route.upstream;
        self.lab.node_at(upstream).with_context(|| format!("{upstream} is no node of the lab"))
    }

    /// Loses the primary, lets the customers come through it, and mends it.
    ///
    /// # Errors
    /// They do not come through it, or what was lost does not come back.
    pub(crate) async fn round(&mut self, fault: Fault, report: &mut Report) -> Result<Seen> {
        let lost = self.primary()?;
        let seen = self.lose(fault, report).await?;
        fault.mend(self.lab, lost).await?;
        let (route, _) = self.lab.agreed_route(0, PATIENCE).await?;
        if route != self.route {
            self.strayed += 1;
            self.lab.progress().say(format_args!("{} leads now", route.upstream));
        }
        self.route = route;
        self.bank.wait_transfers(TRANSFERS).await?;
        Ok(seen)
    }

    /// Loses the primary, and lets the customers come through it.
    ///
    /// # Errors
    /// They do not come through it.
    pub(crate) async fn lose(&mut self, fault: Fault, report: &mut Report) -> Result<Seen> {
        let (before, broken) = (self.bank.tally(), self.bank.broken());
        let (at, unix) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH)?);
        fault.strike(self.lab, self.primary()?)?;
        let (route, agreed) = self.lab.agreed_route(self.route.epoch, PATIENCE).await?;
        report.check(route.upstream != self.route.upstream, || format!("{fault:?}: the same node leads"));
        self.route = route;
        self.bank.wait_transfers(TRANSFERS).await?;
        let breaks = self.bank.broken().into_iter().zip(broken).map(|(now, before)| now - before);
        let probed = self.probes.led(at).into_iter().chain(self.bank.first_after(at)).min();
        let floor = self.probes.node_resumed(self.primary()?, at);
        let mut seen = Seen {
            fault: at,
            fault_unix_ms: u64::try_from(unix.as_millis())?,
            gap: self.bank.longest_gap(at),
            floor: floor.map(|resumed| resumed - at),
            led: probed.map(|led| led - at),
            opened: None,
            old_gone_ms: 0.0,
            tally: self.bank.tally() - before,
            most_broken: breaks.max().unwrap_or_default(),
        };
        self.tell(fault, agreed, &mut seen).await;
        Ok(seen)
    }

    /// Lets the customers finish, compares, and writes the figures and the failures that every scenario shares.
    ///
    /// # Errors
    /// A customer does not finish, or a node does not answer.
    pub(crate) async fn leave(self, report: &mut Report) -> Result<()> {
        let (tally, trouble) = (self.bank.tally() - self.begun, self.bank.trouble());
        drop(self.probes);
        let transfers = self.bank.close().await?;
        audit(self.lab.nodes(), &transfers, report).await?;
        self.lab.progress().say(format_args!("what customers met: {trouble}"));
        report.count("acknowledged", tally.acknowledged);
        report.count("found_after_lost_reply", tally.found);
        report.count("cut_transactions", tally.cut);
        report.count("ended_sessions", tally.ended);
        report.count("told_never_sent", tally.never_sent);
        report.count("told_outcome_unknown", tally.unknown);
        report.none("connection_errors", tally.connection_errors).because(|| trouble.clone());
        report.count("stale_reads", tally.stale_reads);
        report.count("refused_transactions", tally.refused);
        report.count("changes_while_mending", self.strayed);
        Ok(())
    }

    async fn tell(&self, fault: Fault, agreed: Duration, seen: &mut Seen) {
        let progress = self.lab.progress();
        let or_none = |time: Option<Duration>| time.map_or_else(|| "-".to_owned(), shown);
        progress.say(format_args!(
            "{fault:?}: {} leads after {}; first write through a proxy after {}, without one after {}; gap {}; {:?}",
            self.route.upstream,
            shown(agreed),
            or_none(seen.led),
            or_none(seen.floor),
            shown(seen.gap),
            seen.tally
        ));
        for proxy in self.lab.proxies() {
            let told = timeline::told(proxy, self.route.epoch, seen.fault_unix_ms).await;
            progress.say(told.line);
            seen.old_gone_ms = seen.old_gone_ms.max(told.old_gone_ms.unwrap_or(f64::INFINITY));
            seen.opened = seen.opened.into_iter().chain(told.opened_ms.map(Duration::from_millis)).min();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values = [3.0, 1.0, 2.0, 4.0, 10.0];
        assert!((percentile(&values, 50) - 3.0).abs() < f64::EPSILON);
        assert!((percentile(&values, 99) - 10.0).abs() < f64::EPSILON);
        assert!(percentile(&[], 50).is_nan());
    }
}
