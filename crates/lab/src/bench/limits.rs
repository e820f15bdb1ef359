//! Owns the limits: what a benchmark must show to pass. Pure.
//!
//! A limit holds or not by the median of the paired ratios. One whose peer is not installed, or whose figure was not
//! measured, is neither met nor missed, and is shown as such.

use serde::Serialize;

use super::rounds::{CAPITANA, Case};
use super::stats::Spread;

/// What capitana's figure must be, by itself or beside a peer's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// The case it is about; every one where there is none.
    pub(super) case: Option<&'static str>,
    /// The figure, or several of which the first that was measured counts.
    pub(super) figures: &'static [&'static str],
    /// The peer whose figure it is divided by; none: the figure itself counts.
    pub(super) against: Option<&'static str>,
    /// What it must be.
    pub(super) bound: Bound,
}

/// A bound, itself included.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound {
    /// Not above it.
    AtMost(f64),
    /// Not below it.
    AtLeast(f64),
}

/// How a limit came out in one case.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Verdict {
    /// The case.
    pub(super) case: String,
    /// The figure that was judged.
    pub(super) figure: &'static str,
    /// Beside whose.
    pub(super) against: Option<&'static str>,
    /// For example `<= 0.75`.
    pub(super) limit: String,
    /// What was found; none where it was not measured.
    pub(super) found: Option<Spread>,
    /// Whether the limit holds.
    pub(super) pass: Option<bool>,
}

impl Limit {
    /// A bound on capitana's figure over a peer's.
    pub(super) const fn ratio(figures: &'static [&'static str], against: &'static str, bound: Bound) -> Self {
        Self { case: None, figures, against: Some(against), bound }
    }

    /// The same in one case only.
    pub(super) const fn in_case(self, case: &'static str) -> Self {
        Self { case: Some(case), ..self }
    }

    /// Judges the cases it is about.
    pub(super) fn judge<'a>(&'a self, cases: &'a [Case]) -> impl Iterator<Item = Verdict> + 'a {
        let its = cases.iter().filter(|case| self.case.is_none_or(|name| name == case.name));
        its.map(|case| self.judge_one(case))
    }

    fn judge_one(&self, case: &Case) -> Verdict {
        let measured = |figure: &&'static str| match self.against {
            Some(peer) => case.ratio(CAPITANA, peer, figure),
            None => case.spread(CAPITANA, figure),
        };
        let first = self.figures.iter().find_map(|figure| Some((*figure, measured(figure)?)));
        let figure = first.map_or(self.figures.first().copied().unwrap_or_default(), |(figure, _)| figure);
        let found = first.map(|(_, spread)| spread);
        Verdict {
            case: case.name.clone(),
            figure,
            against: self.against,
            limit: self.bound.to_string(),
            found,
            pass: found.map(|spread| self.bound.holds(spread.median)),
        }
    }
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "<= {most}"),
            Self::AtLeast(least) => write!(f, ">= {least}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::{CPU_US, CPU_US_ABOVE, Figures, OVERHEAD, PER_SECOND};
    use super::super::rounds::{DIRECT, Round};
    use super::*;

    fn case() -> Case {
        let leg = |engine: &str, cpu| (engine.to_owned(), Figures::from([(CPU_US, cpu)]));
        let round = Round::of(vec![leg(DIRECT, 100.0), leg(CAPITANA, 160.0), leg("haproxy", 200.0)]);
        Case { name: "16 clients".to_owned(), rounds: vec![round] }
    }

    #[test]
    fn a_ratio_within_its_bound_passes_and_cpu_time_stands_in_for_instructions() {
        let limit = Limit::ratio(&OVERHEAD, "haproxy", Bound::AtMost(0.75));
        let verdict = limit.judge(&[case()]).next().unwrap();
        assert_eq!((verdict.figure, verdict.pass), (CPU_US_ABOVE, Some(true)));
    }

    #[test]
    fn a_ratio_beyond_its_bound_fails() {
        let limit = Limit::ratio(&OVERHEAD, "haproxy", Bound::AtMost(0.5));
        assert_eq!(limit.judge(&[case()]).next().unwrap().pass, Some(false));
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        let absent = Limit::ratio(&OVERHEAD, "nginx", Bound::AtMost(1.0));
        let unmeasured = Limit::ratio(&[PER_SECOND], "haproxy", Bound::AtLeast(1.0));
        for limit in [absent, unmeasured] {
            assert_eq!(limit.judge(&[case()]).next().unwrap().pass, None);
        }
    }

    #[test]
    fn a_limit_of_one_case_leaves_the_others_alone() {
        let limit = Limit::ratio(&OVERHEAD, "haproxy", Bound::AtMost(0.5)).in_case("1 client");
        assert_eq!(limit.judge(&[case()]).count(), 0);
    }
}
