//! Owns what a figure of a scenario has to be: its limits, in words and as scripts read them.

use std::fmt::{self, Display};
use std::time::Duration;

use serde::Serialize;

/// What is said of a figure in one call each; none is said of most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Limit {
    #[serde(skip_serializing_if = "Option::is_none")]
    exactly: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_least: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_most: Option<f64>,
}

impl Limit {
    /// The figure is `value`.
    pub fn exactly(value: f64) -> Self {
        Self { exactly: Some(value), ..Self::default() }
    }

    /// The figure is `value` or more.
    pub fn at_least(value: f64) -> Self {
        Self { at_least: Some(value), ..Self::default() }
    }

    /// The figure is `value` or less.
    pub fn at_most(value: f64) -> Self {
        Self { at_most: Some(value), ..Self::default() }
    }

    /// Whether a figure keeps within it. What is no number keeps within no limit.
    pub fn allows(&self, figure: f64) -> bool {
        self.exactly.is_none_or(|value| (figure - value).abs() < f64::EPSILON)
            && self.at_least.is_none_or(|value| figure >= value)
            && self.at_most.is_none_or(|value| figure <= value)
    }

    /// Both limits: what the other says goes where both say the same thing.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            exactly: other.exactly.or(self.exactly),
            at_least: other.at_least.or(self.at_least),
            at_most: other.at_most.or(self.at_most),
        }
    }
}

impl Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = [("= ", self.exactly), (">= ", self.at_least), ("<= ", self.at_most)];
        let said = said.into_iter().filter_map(|(sign, value)| Some(format!("{sign}{}", value?)));
        f.pad(&said.collect::<Vec<_>>().join(", "))
    }
}

/// What can be recorded as a figure, or be its limit.
pub trait Measure {
    /// As a number: a duration in milliseconds, to a tenth.
    fn number(self) -> f64;
}

impl Measure for f64 {
    fn number(self) -> f64 {
        self
    }
}

impl Measure for usize {
    #[expect(clippy::cast_precision_loss, reason = "figures are counts far below 2^52")]
    fn number(self) -> f64 {
        self as f64
    }
}

impl Measure for u64 {
    #[expect(clippy::cast_precision_loss, reason = "figures are counts far below 2^52")]
    fn number(self) -> f64 {
        self as f64
    }
}

impl Measure for Duration {
    fn number(self) -> f64 {
        (self.as_secs_f64() * 10_000.0).round() / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_allows_its_own_value_and_nothing_allows_what_is_no_number() {
        let limits = [Limit::at_most(3.0), Limit::at_least(3.0), Limit::exactly(3.0)];
        assert!(limits.iter().all(|limit| limit.allows(3.0) && !limit.allows(f64::NAN)));
        assert_eq!(limits.map(|limit| limit.allows(3.1)), [false, true, false]);
        assert_eq!(limits.map(|limit| limit.allows(2.9)), [true, false, false]);
    }

    #[test]
    fn two_limits_of_a_figure_hold_together() {
        let both = Limit::at_least(200.0).and(Limit::at_most(410.0));
        assert_eq!([199.0, 200.0, 411.0].map(|figure| both.allows(figure)), [false, true, false]);
        assert_eq!(both.to_string(), ">= 200, <= 410");
    }
}
