//! The benchmarks `point-select` and `read-write`: sysbench's short queries and its transactions.

use anyhow::Result;

use super::figures::{MEAN_MS_ABOVE, OVERHEAD, PER_SECOND};
use super::limits::{Bound, Limit};
use super::rounds::Case;
use super::stage::Stage;
use super::{Bench, Cases, Upstream, runner, sysbench};

const OVER_HAPROXY: Limit = Limit::ratio(&OVERHEAD, "haproxy", Bound::AtMost(0.75));
const OVER_NGINX: Limit = Limit::ratio(&OVERHEAD, "nginx", Bound::AtMost(0.95));
const RATE_OF_HAPROXY: Limit = Limit::ratio(&[PER_SECOND], "haproxy", Bound::AtLeast(1.05));
const RATE_OF_NGINX: Limit = Limit::ratio(&[PER_SECOND], "nginx", Bound::AtLeast(1.0));

pub(super) const POINT_SELECT: Bench = Bench {
    name: "point-select",
    about: "sysbench oltp_point_select with 1, 16, 64 and 256 clients: what a proxy costs a short query",
    unit: "query",
    upstream: Upstream::MariaDb,
    limits: &[
        Limit::ratio(&[MEAN_MS_ABOVE], "haproxy", Bound::AtMost(0.9)).in_case("1 client"),
        OVER_HAPROXY.in_case("16 clients"),
        OVER_NGINX.in_case("16 clients"),
        RATE_OF_HAPROXY.in_case("16 clients"),
        RATE_OF_NGINX.in_case("16 clients"),
        OVER_HAPROXY.in_case("64 clients"),
        OVER_NGINX.in_case("64 clients"),
        RATE_OF_HAPROXY.in_case("64 clients"),
        RATE_OF_NGINX.in_case("64 clients"),
    ],
    cases: |stage| -> Cases<'_> { Box::pin(cases(stage, "oltp_point_select", &[1, 16, 64, 256])) },
};

pub(super) const READ_WRITE: Bench = Bench {
    name: "read-write",
    about: "sysbench oltp_read_write with 16 clients: transactions of 20 queries",
    unit: "query",
    upstream: Upstream::MariaDb,
    limits: &[
        Limit::ratio(&[PER_SECOND], "haproxy", Bound::AtLeast(1.0)),
        Limit::ratio(&[PER_SECOND], "nginx", Bound::AtLeast(1.0)),
    ],
    cases: |stage| -> Cases<'_> { Box::pin(cases(stage, "oltp_read_write", &[16])) },
};

async fn cases(stage: &Stage<'_>, load: &str, clients: &[usize]) -> Result<Vec<Case>> {
    sysbench::prepare(stage).await?;
    let asked = &stage.options.clients;
    let mut cases = Vec::new();
    for clients in clients.iter().copied().filter(|clients| asked.is_empty() || asked.contains(clients)) {
        let name = if clients == 1 { "1 client".to_owned() } else { format!("{clients} clients") };
        let case =
            runner::case(stage, &name, async |leg| sysbench::load(stage.lab, leg, load, clients).await);
        cases.push(case.await?);
    }
    Ok(cases)
}
