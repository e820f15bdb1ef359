//! Owns what is measured in a leg: the figures' names, their units, and those that follow from others. Pure.

use std::collections::BTreeMap;

/// What one leg gave, by the names below.
pub(super) type Figures = BTreeMap<&'static str, f64>;

/// Queries, megabytes or connections a second.
pub(super) const PER_SECOND: &str = "per_second";
/// The mean latency, in milliseconds.
pub(super) const MEAN_MS: &str = "mean_ms";
/// The latency that 99 of 100 do not exceed, in milliseconds.
pub(super) const P99_MS: &str = "p99_ms";
/// Instructions of the whole machine, kernel included, in thousands a query (megabyte, connection).
pub(super) const KINSTR: &str = "kilo_instructions";
/// Those of them in user space.
pub(super) const KINSTR_USER: &str = "kilo_instructions_in_user_space";
/// CPU of client, proxy and server together, in microseconds a query (megabyte, connection).
pub(super) const CPU_US: &str = "cpu_us";
/// CPU of the proxy alone, in microseconds a query (megabyte, connection).
pub(super) const PROXY_CPU_US: &str = "proxy_cpu_us";
/// The proxy's memory at the end of the leg (PSS), in kilobytes.
pub(super) const PSS_KB: &str = "pss_kb";
/// The same as RSS.
pub(super) const RSS_KB: &str = "rss_kb";
/// The proxy's memory for one idle session: what it grew by, over the number of sessions, in bytes.
pub(super) const SESSION_BYTES: &str = "bytes_per_session";
/// The proxy's CPU while all sessions are idle, in percent of a core.
pub(super) const IDLE_CPU: &str = "idle_cpu_percent";
/// Megabytes a second of the bulk readers beside the point selects.
pub(super) const BULK_MB_S: &str = "bulk_mb_per_second";

/// Above the direct connection of the same round.
pub(super) const KINSTR_ABOVE: &str = "kilo_instructions_above_direct";
/// Above the direct connection of the same round.
pub(super) const KINSTR_USER_ABOVE: &str = "kilo_instructions_in_user_space_above_direct";
/// Above the direct connection of the same round.
pub(super) const CPU_US_ABOVE: &str = "cpu_us_above_direct";
/// Above the direct connection of the same round.
pub(super) const MEAN_MS_ABOVE: &str = "mean_ms_above_direct";

/// What a proxy costs: by instructions, or by CPU time where instructions are not counted.
pub(super) const COST: [&str; 2] = [KINSTR, CPU_US];
/// What a proxy adds to a direct connection: by instructions, or by CPU time where those are not counted.
pub(super) const OVERHEAD: [&str; 2] = [KINSTR_ABOVE, CPU_US_ABOVE];

/// Every figure there may be.
pub(super) const ALL: [&str; 16] = [
    PER_SECOND,
    MEAN_MS,
    P99_MS,
    KINSTR,
    KINSTR_USER,
    CPU_US,
    PROXY_CPU_US,
    PSS_KB,
    RSS_KB,
    SESSION_BYTES,
    IDLE_CPU,
    BULK_MB_S,
    KINSTR_ABOVE,
    KINSTR_USER_ABOVE,
    CPU_US_ABOVE,
    MEAN_MS_ABOVE,
];

const ABOVE: [(&str, &str); 4] = [
    (KINSTR, KINSTR_ABOVE),
    (KINSTR_USER, KINSTR_USER_ABOVE),
    (CPU_US, CPU_US_ABOVE),
    (MEAN_MS, MEAN_MS_ABOVE),
];

/// Adds what a leg has above the direct one of its round.
pub(super) fn add_above(direct: &Figures, leg: &mut Figures) {
    for (figure, above) in ABOVE {
        if let (Some(base), Some(value)) = (direct.get(figure), leg.get(figure).copied()) {
            leg.insert(above, value - base);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_above_direct_is_only_there_where_both_were_measured() {
        let direct = Figures::from([(CPU_US, 100.0), (KINSTR, 130.0)]);
        let mut leg = Figures::from([(CPU_US, 160.0), (MEAN_MS, 3.0)]);
        add_above(&direct, &mut leg);
        assert_eq!(leg, Figures::from([(CPU_US, 160.0), (MEAN_MS, 3.0), (CPU_US_ABOVE, 60.0)]));
    }
}
