//! Whether an agent's znode is wanted: a pure function of what is known of its server, what an operator asked for, and
//! how long that has been so. It owns `priority` and the order in which reasons count. Making and deleting the znode is
//! `registration`'s.

use std::fmt;
use std::time::Duration;

/// What is known of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fitness {
    /// Nothing yet: the agent has just been started, and its first checks are under way.
    Undecided,
    /// It must not lead.
    Unfit,
    /// It was fit at the last check, which is long ago: the process, or the machine, stood still meanwhile.
    Outdated,
    /// It may lead.
    Fit {
        /// For how long it has been so without a break.
        lasting: Duration,
    },
}

/// What the decision is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inputs {
    /// The verdict on the server.
    pub fitness: Fitness,
    /// Whether the agent was asked to end.
    pub stopping: bool,
    /// Whether an operator asked it to stay out of the election.
    pub stepped_down: bool,
    /// Whether the agent itself keeps its server from taking writes.
    pub fenced: bool,
}

/// How the agent stands in the election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is a candidate.
    Candidate,
    /// Nothing is known of its server yet.
    Undecided,
    /// It is of low priority and lets the others register first.
    Delayed {
        /// How long it will still wait.
        left: Duration,
    },
    /// Its server has to be checked again before it registers.
    Outdated,
    /// It has fenced its server: the place it has may still be good when it is back in touch with ZooKeeper.
    Fenced,
    /// Its server must not lead.
    Unfit,
    /// An operator asked it to stay out.
    SteppedDown,
    /// It was asked to end.
    Stopping,
}

/// What is to become of the znode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// There should be one.
    Register,
    /// One that is there stays, and none is created. An agent that was restarted within its session keeps its place.
    Keep,
    /// There should be none.
    Withdraw,
}

/// How an agent stands that waits for `delay` after its server became fit; zero for one of normal priority.
#[must_use]
pub fn standing(inputs: Inputs, delay: Duration) -> Standing {
    match inputs {
        Inputs { stopping: true, .. } => Standing::Stopping,
        Inputs { stepped_down: true, .. } => Standing::SteppedDown,
        Inputs { fitness: Fitness::Unfit, .. } => Standing::Unfit,
        Inputs { fitness: Fitness::Undecided, .. } => Standing::Undecided,
        Inputs { fenced: true, .. } => Standing::Fenced,
        Inputs { fitness: Fitness::Outdated, .. } => Standing::Outdated,
        Inputs { fitness: Fitness::Fit { lasting }, .. } if lasting < delay => {
            Standing::Delayed { left: delay.saturating_sub(lasting) }
        }
        Inputs { fitness: Fitness::Fit { .. }, .. } => Standing::Candidate,
    }
}

impl Standing {
    /// What is to become of the znode.
    #[must_use]
    pub fn wish(self) -> Wish {
        match self {
            Self::Candidate => Wish::Register,
            Self::Undecided | Self::Outdated | Self::Fenced | Self::Delayed { .. } => Wish::Keep,
            Self::Unfit | Self::SteppedDown | Self::Stopping => Wish::Withdraw,
        }
    }
}

/// For people; `SteppedDown` and `Unfit` are better told with their reasons, which are not known here.
impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Candidate => write!(f, "the server is fit to lead"),
            Self::Undecided => write!(f, "the server has not been checked often enough yet"),
            Self::Delayed { left } => {
                let seconds = left.as_secs_f64();
                write!(
                    f,
                    "of low priority: registers in {seconds:.1}s if its server stays fit (rejoin-delay)"
                )
            }
            Self::Outdated => write!(f, "the last check is too long ago: the agent stood still"),
            Self::Fenced => write!(f, "fenced by this agent"),
            Self::Unfit => write!(f, "the server is unfit to lead"),
            Self::SteppedDown => write!(f, "stepped down by an operator"),
            Self::Stopping => write!(f, "the agent is stopping"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_secs(30);

    fn fit(seconds: u64) -> Inputs {
        let fitness = Fitness::Fit { lasting: Duration::from_secs(seconds) };
        Inputs { fitness, stopping: false, stepped_down: false, fenced: false }
    }

    #[test]
    fn a_fit_server_of_normal_priority_registers_at_once() {
        assert_eq!(standing(fit(0), Duration::ZERO).wish(), Wish::Register);
    }

    #[test]
    fn one_of_low_priority_registers_when_the_delay_is_over_and_not_before() {
        assert_eq!(standing(fit(29), DELAY), Standing::Delayed { left: Duration::from_secs(1) });
        assert_eq!(standing(fit(30), DELAY), Standing::Candidate);
        assert_eq!(standing(fit(u64::MAX), Duration::MAX).wish(), Wish::Keep);
    }

    #[test]
    fn one_of_low_priority_keeps_the_place_it_has_while_it_waits() {
        assert_eq!(standing(fit(0), DELAY).wish(), Wish::Keep);
    }

    #[test]
    fn an_agent_that_was_just_started_keeps_the_place_it_has_and_takes_none() {
        let inputs = Inputs { fitness: Fitness::Undecided, ..fit(0) };
        assert_eq!(standing(inputs, Duration::ZERO).wish(), Wish::Keep);
    }

    #[test]
    fn an_agent_that_has_fenced_its_server_or_stood_still_keeps_the_place_it_has_and_takes_none() {
        let fenced = Inputs { fenced: true, ..fit(60) };
        let outdated = Inputs { fitness: Fitness::Outdated, ..fit(0) };
        for inputs in [fenced, outdated] {
            assert_eq!(standing(inputs, Duration::ZERO).wish(), Wish::Keep, "{inputs:?}");
        }
    }

    #[test]
    fn whatever_else_holds_an_unfit_stopping_or_stepped_down_agent_has_no_place() {
        for fitness in [Fitness::Undecided, Fitness::Unfit, fit(60).fitness] {
            for (stopping, stepped_down) in [(true, false), (false, true), (true, true)] {
                let inputs = Inputs { fitness, stopping, stepped_down, ..fit(0) };
                assert_eq!(standing(inputs, DELAY).wish(), Wish::Withdraw, "{inputs:?}");
            }
        }
        let unfit = Inputs { fitness: Fitness::Unfit, ..fit(0) };
        assert_eq!(standing(unfit, Duration::ZERO).wish(), Wish::Withdraw);
    }

    #[test]
    fn the_end_of_the_agent_is_named_before_the_operator_and_the_operator_before_the_server() {
        let all = Inputs { fitness: Fitness::Unfit, stopping: true, stepped_down: true, fenced: true };
        assert_eq!(standing(all, DELAY), Standing::Stopping);
        assert_eq!(standing(Inputs { stopping: false, ..all }, DELAY), Standing::SteppedDown);
    }
}
