//! Owns a bank: customers that move money between accounts through the proxies, in transactions, while scenarios break
//! things. Money shows what rows alone do not: half a transaction, or one that was carried out twice.
//!
//! One customer is in `customer`, what all of them report in `record`, the comparison with the cluster in `audit`; how a
//! primary is lost in `fault`, and what keeps the others behind in `batch`; clients that only measure in `probes` and `arrivals`; a failover as a whole in `stage`.

mod arrivals;
mod audit;
mod batch;
mod customer;
mod fault;
mod probes;
mod record;
mod stage;
mod timeline;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::galera::Node;
use crate::lab::Lab;
use crate::wait::wait_until;
use customer::Customer;
use record::Record;

pub(crate) use arrivals::Arrivals;
pub(crate) use audit::audit;
pub(crate) use batch::Batch;
pub(crate) use fault::Fault;
pub(crate) use record::Tally;
pub(crate) use stage::{Stage, lab_of_the_issue, percentile, quick};

/// Enough that customers hardly ever meet on one.
const ACCOUNTS: u64 = 2_000;
/// What each account begins with.
const BALANCE: i64 = 1_000;
/// More rows than there are probes, each of which has its own.
const PROBES: usize = 20;
/// How long all customers may take for a few transfers: an outage on Galera's timeouts, and a hold.
const TRANSFERS: Duration = Duration::from_secs(60);

/// The journal's key makes a transfer that is repeated although it was carried out an error, as in a careful
/// application; that its money was moved once shows in the balances.
const TABLES: [&str; 3] = [
    "CREATE TABLE app.account (id INT PRIMARY KEY, balance BIGINT NOT NULL)",
    "CREATE TABLE app.journal (client INT NOT NULL, seq BIGINT NOT NULL, payer INT NOT NULL, payee INT NOT NULL, \
     amount INT NOT NULL, PRIMARY KEY (client, seq))",
    "CREATE TABLE app.probe (id INT PRIMARY KEY, n BIGINT NOT NULL)",
];

/// Customers at work, each on its own session, which it keeps while it can.
#[derive(Debug)]
pub(crate) struct Bank {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    record: Arc<Record>,
}

impl Bank {
    /// Makes the tables on `node`.
    ///
    /// # Errors
    /// The node does not run or refuses.
    pub(crate) async fn prepare(node: &Node) -> Result<()> {
        for table in TABLES {
            node.execute(table).await?;
        }
        let last = ACCOUNTS - 1;
        node.execute(&format!("INSERT INTO app.probe SELECT seq, 0 FROM app.seq_0_to_{PROBES}")).await?;
        node.execute(&format!("INSERT INTO app.account SELECT seq, {BALANCE} FROM app.seq_0_to_{last}")).await
    }

    /// Starts the customers, by turns on each of the lab's proxies.
    pub(crate) fn open(lab: &Lab, customers: usize, seed: u64) -> Self {
        let (stop, record) = (CancellationToken::new(), Arc::new(Record::new(customers)));
        let mut random = fastrand::Rng::with_seed(seed);
        let mut tasks = JoinSet::new();
        for (number, proxy) in lab.proxies().iter().cycle().take(customers).enumerate() {
            let customer = Customer::new(number, proxy.address(), random.fork(), Arc::clone(&record));
            tasks.spawn(customer.run(stop.clone()));
        }
        Self { tasks, stop, record }
    }

    /// Waits until every customer has made `transfers` more.
    ///
    /// # Errors
    /// One has not after a minute.
    pub(crate) async fn wait_transfers(&self, transfers: u64) -> Result<()> {
        let before = self.record.transfers();
        let more =
            || self.record.transfers().iter().zip(&before).all(|(now, before)| *now >= before + transfers);
        let what = format!("every customer has made {transfers} more transfers");
        let waited = wait_until(TRANSFERS, &what, async || more().then_some(())).await;
        waited.map(drop).with_context(|| format!("what went wrong so far: {}", self.record.trouble()))
    }

    /// What all customers have seen so far.
    pub(crate) fn tally(&self) -> Tally {
        self.record.tally()
    }

    /// How often the session of each customer has broken so far.
    pub(crate) fn broken(&self) -> Vec<u64> {
        self.record.broken()
    }

    /// What went wrong so far, and how often, as the library says it.
    pub(crate) fn trouble(&self) -> String {
        self.record.trouble()
    }

    /// The longest time without an acknowledged transfer, among all customers together, since `start`.
    pub(crate) fn longest_gap(&self, start: Instant) -> Duration {
        self.record.longest_gap(start)
    }

    /// When the first transfer was acknowledged on a session that was opened after `fault`.
    pub(crate) fn first_after(&self, fault: Instant) -> Option<Instant> {
        self.record.first_after(fault)
    }

    /// Lets every customer finish its transfer. Returns how many each has made.
    ///
    /// # Errors
    /// One does not finish within a minute, or panicked.
    pub(crate) async fn close(mut self) -> Result<Vec<u64>> {
        self.stop.cancel();
        let join = async {
            while let Some(ended) = self.tasks.join_next().await {
                ended.context("a customer panicked")?;
            }
            anyhow::Ok(())
        };
        let joined = tokio::time::timeout(TRANSFERS, join).await;
        joined.map_err(|_| anyhow!("a customer did not finish its transfer within {TRANSFERS:?}"))??;
        Ok(self.record.transfers())
    }
}
