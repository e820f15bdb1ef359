//! Owns the rounds of one case: which engine's leg came when and gave what, and how engines compare, round by round.
//! Pure; running the legs is `runner`'s.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figures::{Figures, add_above};
use super::stats::Spread;

/// The connection without any proxy.
pub(super) const DIRECT: &str = "direct";
/// What is being measured.
pub(super) const CAPITANA: &str = "capitana";

/// One leg of every engine, in the order in which they ran.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Round {
    order: Vec<String>,
    figures: BTreeMap<String, Figures>,
}

impl Round {
    /// Of these legs.
    pub(super) fn of(mut legs: Vec<(String, Figures)>) -> Self {
        let direct = legs.iter().find(|(engine, _)| engine == DIRECT).map(|(_, figures)| figures.clone());
        for (_, figures) in legs.iter_mut().filter(|(engine, _)| engine != DIRECT) {
            if let Some(direct) = &direct {
                add_above(direct, figures);
            }
        }
        Self {
            order: legs.iter().map(|(engine, _)| engine.clone()).collect(),
            figures: legs.into_iter().collect(),
        }
    }

    fn value(&self, engine: &str, figure: &str) -> Option<f64> {
        self.figures.get(engine)?.get(figure).copied()
    }
}

/// One load, for example so many clients, and all its rounds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Case {
    /// For example `16 clients`.
    pub(super) name: String,
    /// In the order in which they ran, without the warm-up.
    pub(super) rounds: Vec<Round>,
}

impl Case {
    /// The engines, in the order of the first time each is met, which is not that of any table.
    pub(super) fn engines(&self) -> Vec<&str> {
        let mut engines: Vec<&str> = Vec::new();
        for engine in self.rounds.iter().flat_map(|round| &round.order) {
            if !engines.contains(&engine.as_str()) {
                engines.push(engine);
            }
        }
        engines
    }

    /// An engine's figure over the rounds.
    pub(super) fn spread(&self, engine: &str, figure: &str) -> Option<Spread> {
        let values: Vec<_> = self.rounds.iter().filter_map(|round| round.value(engine, figure)).collect();
        Spread::of(&values)
    }

    /// The ratio of two engines, taken within each round, over the rounds: what moves the whole machine from one round
    /// to the next moves both and cancels out.
    pub(super) fn ratio(&self, engine: &str, against: &str, figure: &str) -> Option<Spread> {
        let ratio = |round: &Round| {
            let base = round.value(against, figure).filter(|base| *base != 0.0)?;
            Some(round.value(engine, figure)? / base)
        };
        Spread::of(&self.rounds.iter().filter_map(ratio).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::{CPU_US, CPU_US_ABOVE};
    use super::*;

    fn round(direct: f64, capitana: f64) -> Round {
        let leg = |engine: &str, value| (engine.to_owned(), Figures::from([(CPU_US, value)]));
        Round::of(vec![leg(CAPITANA, capitana), leg(DIRECT, direct)])
    }

    fn case() -> Case {
        Case { name: "16 clients".to_owned(), rounds: vec![round(100.0, 150.0), round(300.0, 420.0)] }
    }

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        let ratio = case().ratio(CAPITANA, DIRECT, CPU_US).unwrap();
        assert_eq!((ratio.min, ratio.max), (1.4, 1.5));
    }

    #[test]
    fn what_is_above_direct_is_taken_within_each_round() {
        let above = case().spread(CAPITANA, CPU_US_ABOVE).unwrap();
        assert_eq!((above.min, above.max), (50.0, 120.0));
        assert_eq!(case().spread(DIRECT, CPU_US_ABOVE), None);
    }

    #[test]
    fn an_engine_that_did_not_run_has_no_ratio() {
        assert_eq!(case().ratio(CAPITANA, "haproxy", CPU_US), None);
    }
}
