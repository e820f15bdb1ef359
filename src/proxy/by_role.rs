//! The metrics that the listeners for the primary and for the replicas have apart: one handle for each role, under the
//! label `role`. What both have in common is in `metrics`.

use capitana_core::{EndReason, Role};
use prometheus::{Error, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::metrics::Maker;

/// What is counted of the clients of one role.
pub struct OfRole {
    /// Connections accepted.
    pub accepted: IntCounter,
    /// Sessions that ended, by `EndReason::index`.
    ended: Vec<IntCounter>,
    /// Sessions there are.
    pub sessions: IntGauge,
    /// Clients that wait for a server.
    pub held: IntGauge,
    /// Sessions that have to go elsewhere and are not idle yet.
    pub draining: IntGauge,
    /// Connections to a server that were made.
    pub dials_ok: IntCounter,
    /// Connections to a server that failed.
    pub dials_failed: IntCounter,
}

impl OfRole {
    /// Counts the end of a session.
    pub fn ended(&self, reason: EndReason) {
        if let Some(counter) = self.ended.get(reason.index()) {
            counter.inc();
        }
    }
}

/// Registers the metrics of every role.
///
/// # Errors
/// A name is taken: a mistake in capitana.
pub fn register(make: &Maker<'_>) -> Result<[OfRole; Role::ALL.len()], Error> {
    let families = Families {
        accepted: make.counters("connections_accepted_total", "Client connections accepted", &["role"])?,
        ended: make.counters(
            "sessions_ended_total",
            "Sessions that ended, by reason",
            &["role", "reason"],
        )?,
        sessions: make.gauges("sessions", "Client sessions there are, waiting ones included", &["role"])?,
        held: make.gauges("sessions_held", "Clients that wait for a server", &["role"])?,
        draining: make.gauges("sessions_draining", "Sessions left where no more go", &["role"])?,
        dials: make.counters("dials_total", "Attempts to connect to a server", &["role", "result"])?,
    };
    Ok(Role::ALL.map(|role| families.of(role)))
}

struct Families {
    accepted: IntCounterVec,
    ended: IntCounterVec,
    sessions: IntGaugeVec,
    held: IntGaugeVec,
    draining: IntGaugeVec,
    dials: IntCounterVec,
}

impl Families {
    fn of(&self, role: Role) -> OfRole {
        let role = role.label();
        let ended = |reason: &EndReason| self.ended.with_label_values(&[role, reason.label()]);
        OfRole {
            accepted: self.accepted.with_label_values(&[role]),
            ended: EndReason::ALL.iter().map(ended).collect(),
            sessions: self.sessions.with_label_values(&[role]),
            held: self.held.with_label_values(&[role]),
            draining: self.draining.with_label_values(&[role]),
            dials_ok: self.dials.with_label_values(&[role, "ok"]),
            dials_failed: self.dials.with_label_values(&[role, "failed"]),
        }
    }
}
