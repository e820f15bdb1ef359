//! Owns the arithmetic of benchmarks: medians, spreads, percentiles. Pure; what is measured and compared is not its.

use serde::Serialize;

/// The middle of a number of rounds, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Spread {
    /// Half of the rounds lie below it.
    pub(super) median: f64,
    /// The smallest.
    pub(super) min: f64,
    /// The largest.
    pub(super) max: f64,
}

impl Spread {
    /// Of these values; none where there are none.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let sorted = sorted(values);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = sorted[sorted.len() / 2];
        let lower = sorted[(sorted.len() - 1) / 2];
        Some(Self { median: f64::midpoint(lower, upper), min, max })
    }
}

/// The smallest value that at least this share (0 to 1) of the values does not exceed: the nearest rank.
pub(super) fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let sorted = sorted(values);
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "counts far below 2^52")]
    #[expect(clippy::cast_sign_loss, reason = "a share is not negative")]
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// The arithmetic mean; none of no values.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 100.0]).unwrap();
        assert_eq!(spread, Spread { median: 3.5, min: 1.0, max: 100.0 });
    }

    #[test]
    fn the_median_of_an_odd_number_is_the_one_in_the_middle() {
        assert_eq!(Spread::of(&[9.0, 1.0, 5.0]).unwrap().median, 5.0);
    }

    #[test]
    fn nothing_has_no_median_and_no_percentile() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(percentile(&[], 0.99), None);
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let values: Vec<_> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 0.99), Some(198.0));
        assert_eq!(percentile(&values, 1.0), Some(200.0));
        assert_eq!(percentile(&[7.0], 0.5), Some(7.0));
    }
}
