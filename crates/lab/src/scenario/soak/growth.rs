//! Owns the verdict on growth: what is held at the end of a run, against what was held when it had warmed up. Pure.

/// What a proxy holds at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) rss_kb: u64,
    pub(super) descriptors: u64,
    pub(super) threads: u64,
    /// A task each.
    pub(super) sessions: u64,
    pub(super) close_wait: u64,
}

/// By how many percent each kind has grown between the first and the last third of the time after the warm-up, which took
/// this share of the samples. Medians: a failover moves everything for a moment. None where there are too few samples.
pub(super) fn growth(samples: &[Held], warm_up: f64) -> Option<[(&'static str, f64); 5]> {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small count")]
    let warm = samples.get((samples.len() as f64 * warm_up) as usize..)?;
    let third = warm.len() / 3;
    if third == 0 {
        return None;
    }
    let (first, last) = (&warm[..third], &warm[warm.len() - third..]);
    let grown = |of: fn(&Held) -> u64| percent(median(first, of), median(last, of));
    // A few in thousands of connections that come and go: one more of four is no growth by a quarter.
    let of_all = median(first, |held| held.descriptors);
    let close_wait = percent(of_all, of_all + median(last, waits).saturating_sub(median(first, waits)));
    Some([
        ("rss_growth_percent", grown(|held| held.rss_kb)),
        ("descriptors_growth_percent", grown(|held| held.descriptors)),
        ("threads_growth_percent", grown(|held| held.threads)),
        ("sessions_growth_percent", grown(|held| held.sessions)),
        ("close_wait_growth_percent_of_descriptors", close_wait),
    ])
}

fn waits(held: &Held) -> u64 {
    held.close_wait
}

fn median(samples: &[Held], of: fn(&Held) -> u64) -> u64 {
    let mut values: Vec<_> = samples.iter().map(of).collect();
    values.sort_unstable();
    values[values.len() / 2]
}

/// Something from nothing is all of it.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn percent(before: u64, after: u64) -> f64 {
    (after as f64 - before as f64) / before.max(1) as f64 * 100.0
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn rss(values: &[u64]) -> f64 {
        let samples: Vec<_> =
            values.iter().map(|rss_kb| Held { rss_kb: *rss_kb, ..Held::default() }).collect();
        growth(&samples, 0.25).unwrap()[0].1
    }

    #[test]
    fn what_grows_while_it_warms_up_does_not_count() {
        assert_eq!(rss(&[1, 50, 100, 100, 100, 100, 100, 100]), 0.0);
    }

    #[test]
    fn what_grows_afterwards_counts_in_percent() {
        assert_eq!(rss(&[1, 50, 100, 100, 105, 105, 110, 110]), 10.0);
    }

    #[test]
    fn a_spike_does_not_count() {
        let steady = [100, 100, 100, 100, 100, 900, 100, 100, 100, 900, 100, 100];
        assert_eq!(rss(&steady), 0.0);
    }

    #[test]
    fn connections_whose_peer_has_ended_are_counted_as_descriptors() {
        let held = |close_wait| Held { descriptors: 100, close_wait, ..Held::default() };
        let samples = [held(4), held(5), held(10)];
        let (name, percent) = growth(&samples, 0.0).unwrap()[4];
        assert_eq!((name, percent), ("close_wait_growth_percent_of_descriptors", 6.0));
    }

    #[test]
    fn too_few_samples_are_not_judged() {
        assert_eq!(growth(&[Held::default(); 2], 0.5), None);
    }
}
