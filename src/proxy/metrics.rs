//! The proxy's Prometheus metrics: every handle resolved once. Bytes and sessions that change on the relay's path are
//! counted by each worker for itself (`WorkerCounters`) and summed when they are asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use capitana_core::{Role, SkipReason};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Error, Histogram, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::by_role::{self, OfRole};
use super::durations::Durations;
use crate::metrics::{Maker, opts};
use crate::side::SideMetrics;

/// From half a millisecond, a loopback's dial, to the default hold time and a little more.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Handles of everything that is counted apart from the relay's path.
pub struct ProxyMetrics {
    /// What the listeners for primary and replicas have apart, by `Role::index`.
    by_role: [OfRole; Role::ALL.len()],
    /// Failures of accept itself.
    pub accept_errors: IntCounter,
    /// How many sessions the limit of descriptors allows; 0: not known.
    pub sessions_limit: IntGauge,
    /// Clients that waited and were let on to a server.
    pub released: IntCounter,
    /// Connections turned away: the listener has enough.
    pub rejected_listener: IntCounter,
    /// Connections turned away: their client has enough.
    pub rejected_client: IntCounter,
    /// Connections turned away: the servers had enough for the hold time.
    pub rejected_upstream: IntCounter,
    /// Connections turned away: enough wait.
    pub rejected_held: IntCounter,
    /// Connections to servers, those being made included.
    pub upstream_connections: IntGauge,
    /// Handshakes ended in the place of a client that has vanished.
    pub partings_ended: IntCounter,
    /// The same, where the server did not answer to the end.
    pub partings_broken: IntCounter,
    /// TLS handshakes that clients broke off.
    pub broken_off: IntCounter,
    /// How long clients waited, of those that had to.
    pub hold_seconds: Histogram,
    /// Connections to servers for which this host had no port left.
    pub dials_without_port: IntCounter,
    /// How long a dial took, with the server's greeting.
    pub dial_seconds: Histogram,
    /// How long handshakes took, from the server's greeting to its OK; under TLS to the client's request for TLS.
    pub handshake_seconds: Histogram,
    /// How long servers took for the first answer, of a sample of sessions.
    pub first_answer_seconds: Histogram,
    /// The epoch of the route; 0 without one.
    pub epoch: IntGauge,
    /// 1 while there is a route.
    pub route_open: IntGauge,
    /// Changes from one primary to another.
    pub failovers: IntCounter,
    /// How long failovers took.
    pub durations: Durations,
    /// 1 while ZooKeeper answers.
    pub zookeeper_connected: IntGauge,
    /// Candidates that can be followed.
    pub members: IntGauge,
    /// Statements that sessions begin with.
    pub init_sql: InitSqlMetrics,
    /// Members that serve as replicas.
    pub replicas: IntGauge,
    /// Readings older than one already seen.
    pub stale_readings: IntCounter,
    /// The session beside the election's.
    pub side: SideMetrics,
    skipped: IntCounterVec,
    /// Log lines about ended sessions that were held back.
    pub log_suppressed: IntCounter,
}

/// What became of the statements that sessions begin with.
pub struct InitSqlMetrics {
    /// Carried out.
    pub sent: IntCounter,
    /// Not carried out: the session was not opened.
    pub failed: IntCounter,
    /// The client asked for TLS, and was refused.
    pub refused: IntCounter,
    /// The client asked for TLS, and goes on without.
    pub passed: IntCounter,
}

impl ProxyMetrics {
    /// Registers everything, also the process's own figures.
    ///
    /// # Errors
    /// A name is taken: a mistake in capitana.
    pub fn register(registry: &Registry, workers: &[Arc<WorkerCounters>]) -> Result<Self, Error> {
        let make = Maker::new(registry)?;
        make.register(RelayBytes::new(workers)?)?;
        let rejected =
            make.counters("connections_rejected_total", "Clients turned away, by limit", &["limit"])?;
        let partings =
            make.counters("handshakes_ended_total", "Handshakes ended for vanished clients", &["result"])?;
        let skipped =
            make.counters("members_skipped_total", "Candidates not followed, by reason", &["reason"])?;
        for reason in SkipReason::ALL {
            skipped.with_label_values(&[reason.label()]).inc_by(0);
        }
        let init_sql =
            make.counters("init_sql_total", "Statements that sessions begin with, by result", &["result"])?;
        let seconds = |name, help| make.seconds(name, help, &SECONDS);
        Ok(Self {
            by_role: by_role::register(&make)?,
            accept_errors: make.counter("accept_errors_total", "Failures to accept a connection")?,
            sessions_limit: make
                .gauge("sessions_limit", "Client sessions that descriptors allow; 0: unknown")?,
            released: make.counter("sessions_released_total", "Waiting clients let on to a server")?,
            rejected_listener: rejected.with_label_values(&["max-connections"]),
            rejected_client: rejected.with_label_values(&["max-connections-per-client"]),
            rejected_upstream: rejected.with_label_values(&["max-upstream-connections"]),
            rejected_held: rejected.with_label_values(&["max-held"]),
            upstream_connections: make.gauge("upstream_connections", "Connections to servers there are")?,
            partings_ended: partings.with_label_values(&["ok"]),
            broken_off: make.counter("tls_handshakes_broken_total", "TLS handshakes clients broke off")?,
            partings_broken: partings.with_label_values(&["broken"]),
            hold_seconds: seconds("hold_duration_seconds", "Time clients waited for a server")?,
            dials_without_port: make
                .counter("dials_without_port_total", "Dials for which this host had no port left")?,
            dial_seconds: seconds("dial_duration_seconds", "Time to the server's greeting")?,
            handshake_seconds: seconds("handshake_duration_seconds", "Time from the greeting to the login")?,
            first_answer_seconds: seconds(
                "first_answer_duration_seconds",
                "Time the server took for a session's first statement, of a sample of sessions",
            )?,
            epoch: make.gauge("route_epoch", "Epoch (czxid) of the primary followed, 0 without one")?,
            route_open: make.gauge("route_open", "1 while there is a primary to follow")?,
            failovers: make.counter("failovers_total", "Changes from one primary to another")?,
            durations: Durations::register(&make)?,
            zookeeper_connected: make.gauge("zookeeper_connected", "1 while ZooKeeper answers")?,
            members: make.gauge("members", "Candidates in the election that can be followed")?,
            init_sql: InitSqlMetrics {
                sent: init_sql.with_label_values(&["sent"]),
                failed: init_sql.with_label_values(&["failed"]),
                refused: init_sql.with_label_values(&["refused"]),
                passed: init_sql.with_label_values(&["passed"]),
            },
            replicas: make.gauge("replicas", "Members of the election that serve as replicas")?,
            stale_readings: make.counter("stale_readings_total", "Readings of the election not believed")?,
            side: SideMetrics::register(&make)?,
            skipped,
            log_suppressed: make.counter("log_lines_suppressed_total", "Session log lines held back")?,
        })
    }

    /// What is counted of the clients of one role.
    #[must_use]
    pub fn of(&self, role: Role) -> &OfRole {
        &self.by_role[role.index()]
    }

    /// Sessions of every role.
    #[must_use]
    pub fn sessions(&self) -> i64 {
        self.by_role.iter().map(|role| role.sessions.get()).sum()
    }

    /// Counts a candidate that is not followed. Rare, so the label is looked up.
    pub fn member_skipped(&self, reason: SkipReason) {
        self.skipped.with_label_values(&[reason.label()]).inc();
    }
}

/// What one worker counts on the relay's path. The worker is the only writer, so that a plain load and store do.
#[derive(Debug, Default)]
pub struct WorkerCounters {
    to_upstream: AtomicU64,
    to_client: AtomicU64,
    /// Sessions on this worker and on their way to it. Acceptors count up, the worker counts down.
    pub sessions: AtomicU64,
}

impl WorkerCounters {
    /// Adds bytes moved. Only the worker's own thread may call this.
    pub fn add(&self, to_upstream: u64, to_client: u64) {
        self.to_upstream.store(self.to_upstream.load(Relaxed) + to_upstream, Relaxed);
        self.to_client.store(self.to_client.load(Relaxed) + to_client, Relaxed);
    }
}

/// Sums the workers' byte counts when metrics are asked for.
struct RelayBytes {
    workers: Vec<Arc<WorkerCounters>>,
    opts: Opts,
    descs: Vec<Desc>,
}

impl RelayBytes {
    fn new(workers: &[Arc<WorkerCounters>]) -> Result<Self, Error> {
        let opts = opts("relay_bytes_total", "Bytes relayed, by direction");
        let descs = IntCounterVec::new(opts.clone(), &["direction"])?.desc().into_iter().cloned().collect();
        Ok(Self { workers: workers.to_vec(), opts, descs })
    }

    fn sum(&self, of: impl Fn(&WorkerCounters) -> u64) -> u64 {
        self.workers.iter().map(|w| of(w)).sum()
    }
}

impl Collector for RelayBytes {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Ok(bytes) = IntCounterVec::new(self.opts.clone(), &["direction"]) else {
            return Vec::new();
        };
        let to_upstream = self.sum(|w| w.to_upstream.load(Relaxed));
        let to_client = self.sum(|w| w.to_client.load(Relaxed));
        bytes.with_label_values(&["to-upstream"]).inc_by(to_upstream);
        bytes.with_label_values(&["to-client"]).inc_by(to_client);
        bytes.collect()
    }
}
