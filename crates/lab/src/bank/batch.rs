//! Owns a large transaction right before a failover, such as a night's batch: the other nodes need a while to apply it, and
//! everything that is committed behind it waits. A new primary that opens then lacks what customers were told is written.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use tokio::time::sleep;

use crate::galera::Node;
use crate::lab::Lab;

/// Rows of the table.
const ROWS: u32 = 60_000;
/// Rows that are changed to see how fast the machine is.
const SAMPLE: u32 = 10_000;
/// How long a batch should take; the others then need about as long to apply it.
const WORK: Duration = Duration::from_millis(800);
/// Between the batch's commit and what comes next: time for customers to commit behind it. Galera stops them when the
/// others are some twenty transactions behind (`gcs.fc_limit`).
const BEHIND: Duration = Duration::from_millis(100);

/// A batch of a size for this machine.
pub(crate) struct Batch {
    rows: u32,
}

impl Batch {
    /// Makes the table on `node`, and measures.
    ///
    /// # Errors
    /// The node does not run or refuses.
    pub(crate) async fn prepare(node: &Node) -> Result<Self> {
        let columns = "id INT PRIMARY KEY, n INT NOT NULL, note CHAR(32) NOT NULL, KEY (n), KEY (note)";
        node.execute(&format!("CREATE TABLE app.batch ({columns})")).await?;
        let rows = format!("SELECT seq, seq % 1000, MD5(seq) FROM app.seq_1_to_{ROWS}");
        node.execute(&format!("INSERT INTO app.batch {rows}")).await?;
        let start = Instant::now();
        Self { rows: SAMPLE }.change(node).await?;
        let factor = WORK.as_secs_f64() / start.elapsed().as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between the two sizes"
        )]
        let rows = (f64::from(SAMPLE) * factor).clamp(f64::from(SAMPLE), f64::from(ROWS)) as u32;
        Ok(Self { rows })
    }

    /// Commits one on node `primary`. Returns how many transactions the others have not applied a moment later: of the one
    /// that has the most before it.
    ///
    /// # Errors
    /// A node does not answer.
    pub(crate) async fn commit(&self, lab: &Lab, primary: usize) -> Result<f64> {
        self.change(&lab.nodes()[primary]).await?;
        sleep(BEHIND).await;
        let mut most = 0.0_f64;
        for (_, node) in lab.nodes().iter().enumerate().filter(|(index, _)| *index != primary) {
            most = most.max(waiting(node).await?);
        }
        lab.progress()
            .say(format_args!("{} rows were changed; {most} transactions wait behind them", self.rows));
        Ok(most)
    }

    async fn change(&self, node: &Node) -> Result<()> {
        let rows = self.rows;
        node.execute(&format!("UPDATE app.batch SET n = n + 1, note = MD5(RAND()) WHERE id <= {rows}")).await
    }
}

/// Transactions that a node has received and not applied.
async fn waiting(node: &Node) -> Result<f64> {
    let mut conn = node.root().await?;
    let row: Option<(String, f64)> =
        conn.query_first("SHOW GLOBAL STATUS LIKE 'wsrep_local_recv_queue'").await?;
    conn.disconnect().await?;
    Ok(row.context("the server has no wsrep_local_recv_queue")?.1)
}
